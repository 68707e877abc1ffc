"""By what a run is known before it is made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedmed.campaign.key import key
from fedmed.config import compose
from fedmed.options.catalogue import discover

OWN = '''\
from dataclasses import dataclass

from fedmed.{base_in} import {base}

VALUE = {value}


@dataclass(frozen=True, kw_only=True)
class Own({base}):
    """One of the test's own."""
'''


def keyed(*overrides: str) -> str:
    planned = compose.plan(overrides)
    (run,) = planned.runs
    return key(run.config, planned.catalogue)


@pytest.mark.parametrize(
    "override",
    ["engine=pool", "engine.workers=3", "device=cuda", "checkpoint_every=5", "hydra.run.dir=elsewhere"],
)
def test_where_and_how_a_run_is_made_changes_nothing(override: str) -> None:
    given = ["engine=pool", override] if "workers" in override else [override]
    assert keyed(*given) == keyed()


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "rounds=11",
        "strategy=fedprox",
        "strategy=fedavg+fedprox",
        "strategy.local=[*]",
        "pooled=true",
        "dataset.noise=0.06",
        "torch_threads=2",
        "partition.alpha=0.6",
    ],
)
def test_what_can_change_a_result_makes_another_run(override: str) -> None:
    assert keyed(override) != keyed()


def test_another_version_makes_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keyed()
    monkeypatch.setattr("fedmed.campaign.key.__version__", "99.0")
    assert keyed() != before


def test_the_source_of_a_method_counts_and_that_of_others_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = discover()
    config = compose.compose(["strategy=fedprox"])
    before = key(config, catalogue)
    changed = tmp_path / "changed.py"
    changed.write_text("# another source", encoding="utf-8")
    for name, moves in (("moon", False), ("fedprox", True)):
        option = catalogue.options["strategy"][name]
        monkeypatch.setitem(catalogue.options["strategy"], name, replace(option, file=changed))
        assert (key(config, catalogue) != before) == moves


def test_a_private_module_of_a_method_counts_as_the_method_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, config = discover(), compose.compose(["strategy=fedprox"])
    (tmp_path / "fedprox.py").write_text("from fedmed.strategies._sums import total", encoding="utf-8")
    option = replace(catalogue.options["strategy"]["fedprox"], file=tmp_path / "fedprox.py")
    monkeypatch.setitem(catalogue.options["strategy"], "fedprox", option)
    found = [key(config, catalogue)]
    for name, text in (("_others.py", "A = 1"), ("_sums.py", "A = 1"), ("_sums.py", "A = 22")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found.append(key(config, catalogue))
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_ones_own_method_is_known_by_what_its_file_says_not_where(tmp_path: Path) -> None:
    found = [_own(tmp_path / folder, value) for folder, value in (("a", 1), ("b", 1), ("c", 2))]
    assert found[0] == found[1] != found[2]


def test_a_file_of_images_is_known_by_what_it_holds_not_where(tmp_path: Path) -> None:
    found = [_images(tmp_path / folder / "own.npz", value) for folder, value in (("a", 1), ("b", 1), ("c", 2))]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(("option", "moves"), [("dataset.verify=false", True), ("dataset.verify=true", False)])
def test_a_file_of_medmnist_counts_where_no_checksum_vouches_for_it(tmp_path: Path, option: str, moves: bool) -> None:
    given = ["dataset=medmnist", "dataset.name=pathmnist", f"dataset.root={tmp_path}", option]
    before = keyed(*given)
    (tmp_path / "pathmnist.npz").write_bytes(b"images")
    assert (keyed(*given) != before) == moves
    (tmp_path / "breastmnist.npz").write_bytes(b"others")
    assert (keyed(*given) != before) == moves


@pytest.mark.parametrize(
    ("given", "option"),
    [(["partition=file"], "partition.path"), ([], "model.weights"), (["sampling=availability"], "sampling.path")],
)
def test_other_files_count_by_what_they_hold(given: list[str], option: str, tmp_path: Path) -> None:
    def with_file(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return keyed(*given, f"{option}={tmp_path / name}")

    assert with_file("one", b"1") == with_file("other", b"1") != with_file("third", b"2")


def test_what_is_known_of_a_synthetic_world_is_known_without_torch() -> None:
    code = "import sys; from fedmed.campaign.grid import grid; from pathlib import Path; "
    code += "grid(['experiment=smoke', 'strategy=fedavg,moon'], root=Path('runs')); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.strip() == "False"


def _own(folder: Path, value: int) -> str:
    folder.mkdir()
    (folder / "own.py").write_text(OWN.format(base_in="method", base="Method", value=value), encoding="utf-8")
    return keyed(f"strategy={folder}/own.py")


def _images(file: Path, value: int) -> str:
    file.parent.mkdir()
    np.savez(file, images=np.full((8, 9, 9), value, np.uint8), labels=np.arange(8) % 2)
    return keyed("dataset=npz", f"dataset.path={file}")


def test_what_a_method_reads_makes_another_run(tmp_path: Path) -> None:
    gains = tmp_path / "gains.csv"
    given = ("strategy=fedegoists", "strategy.benefit=file", f"strategy.path={gains}")
    gains.write_text("0,1\n1,0\n", encoding="utf-8")
    before = keyed(*given)
    gains.write_text("0,2\n1,0\n", encoding="utf-8")
    assert keyed(*given) != before
