"""A run that stops and goes on is, bit for bit, a run that never stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.config.build import build, from_yaml
from fedmed.errors import UserError
from fedmed.run import resume as resume_run
from fedmed.run.identity import identity
from fedmed.run.parts import build_parts
from fedmed.terminal.progress import make_run_display
from tests.run.traces import leftovers, trace, weights

CASES = {
    "fedavg with momentum": ("optimizer.momentum=0.9", "optimizer.state=persist", "model.dropout=0.3"),
    "fedavg with adam": ("optimizer.name=adam", "optimizer.lr=0.001", "optimizer.state=persist", "model.norm=batch"),
    "scaffold": ("strategy=scaffold", "clients_per_round=2", "model.dropout=0.3"),
    "fedper": ("strategy=fedper", "clients_per_round=2", "scopes=[client,adapted]"),
    "moon": ("strategy=moon", "clients_per_round=2", "augment=standard"),
    "chain": ("strategy=fedprox+fedbn", "model.norm=batch", "clients_per_round=2", "optimizer.schedule=cosine"),
    "early stopping": ("patience=1", "optimizer.lr=1e-9", "rounds=8", "metric=accuracy"),
}


def resume(directory: Path, *overrides: str) -> dict[str, Any]:
    return resume_run(directory, overrides=list(overrides), show=make_run_display(quiet=True))


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_a_resumed_run_is_the_straight_one_bit_for_bit(run: Any, tmp_path: Path, overrides: tuple[str, ...]) -> None:
    run("straight", "clients=4", *overrides)
    run("stopped", "clients=4", *overrides, stop=1)
    assert json.loads((tmp_path / "stopped/run.json").read_text(encoding="utf-8"))["status"] == "stopped"
    resume(tmp_path / "stopped")
    assert trace(tmp_path / "stopped") == trace(tmp_path / "straight")
    assert not leftovers(tmp_path / "stopped")


def test_a_run_may_stop_after_every_round(run: Any, tmp_path: Path) -> None:
    run("straight", "strategy=scaffold", "clients_per_round=2")
    run("stopped", "strategy=scaffold", "clients_per_round=2", stop=1)
    run("stopped twice", "strategy=scaffold", "clients_per_round=2", stop=2)
    resume(tmp_path / "stopped")
    resume(tmp_path / "stopped twice")
    assert trace(tmp_path / "stopped") == trace(tmp_path / "stopped twice") == trace(tmp_path / "straight")


def test_rounds_after_the_last_checkpoint_are_done_again(run: Any, tmp_path: Path, rounds: Any) -> None:
    run("straight", "checkpoint_every=2")
    run("stopped", "checkpoint_every=2", stop=1)
    assert len(rounds("stopped")) == 1
    assert not (tmp_path / "stopped/checkpoints/checkpoint.json").exists()
    resume(tmp_path / "stopped")
    assert [row["round"] for row in rounds("stopped")] == [1, 2, 3]
    assert trace(tmp_path / "stopped") == trace(tmp_path / "straight")


def test_how_often_a_run_is_kept_changes_no_bit(run: Any, tmp_path: Path) -> None:
    run("each", "strategy=scaffold")
    run("once", "strategy=scaffold", "checkpoint_every=9")
    assert trace(tmp_path / "each") == trace(tmp_path / "once")


def test_a_run_goes_on_after_its_first_end_was_lost(run: Any, tmp_path: Path) -> None:
    """Killed between the last checkpoint and the final result."""
    final = run("run")
    before = trace(tmp_path / "run")
    (tmp_path / "run/final.json").unlink()
    record = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))
    (tmp_path / "run/run.json").write_text(json.dumps(record | {"status": "running"}), encoding="utf-8")
    assert resume(tmp_path / "run") == final
    assert trace(tmp_path / "run") == before


def test_a_finished_run_gives_its_result_and_trains_nothing(run: Any, fedmed: Any, tmp_path: Path) -> None:
    final = run("run")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    code, out, err = fedmed("run", "resume=run", "--json")
    assert code == 0
    assert json.loads(out) == final
    assert "is finished" in err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rounds=2", "rounds: expected 3 as in run, or more, got 2."),
        ("strategy=fedprox", "strategy: expected fedavg as in run, got fedprox."),
        ("optimizer.lr=0.5", "optimizer.lr: expected 0.02 as in run, got 0.5."),
        ("partition.alpha=9", "partition.alpha: expected 0.5 as in run, got 9."),
        ("nonsense=1", "nonsense: expected"),
    ],
)
def test_resume_refuses_another_config(run: Any, fedmed: Any, tmp_path: Path, override: str, words: str) -> None:
    run("run", stop=1)
    before = sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    code, out, err = fedmed("run", "resume=run", override)
    assert (code, out) == (2, "")
    assert words in err
    assert "start a new run" in err
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) == before


def test_resume_takes_overrides_that_say_what_the_run_is(run: Any, fedmed: Any) -> None:
    run("run", "strategy=fedprox", stop=1)
    code, _, err = fedmed("run", "resume=run", "rounds=3", "strategy=fedprox", "partition=dirichlet", "seed=0")
    assert code == 0, err


def test_resume_refuses_changed_images(run: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 12, 12), dtype=np.uint8), np.arange(60) % 2
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    run("run", "dataset=npz", "dataset.path=own.npz", stop=1)
    images[7, 3, 3] ^= 1
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    with pytest.raises(UserError, match="The images, the options or the files behind it have changed"):
        resume(tmp_path / "run")


GAINS = ("strategy=fedegoists", "strategy.start=together", "strategy.warmup=1", "strategy.benefit=file")


def test_resume_refuses_changed_files_that_a_method_reads(run: Any, tmp_path: Path) -> None:
    (tmp_path / "gains.csv").write_text("0,1,0\n" * 3, encoding="utf-8")
    run("run", *GAINS, "strategy.path=gains.csv", stop=1)
    (tmp_path / "gains.csv").write_text("0,0,1\n" * 3, encoding="utf-8")
    with pytest.raises(UserError, match="or the files behind it have changed"):
        resume(tmp_path / "run")


def test_a_run_of_a_version_that_did_not_look_at_files_goes_on(run: Any, tmp_path: Path) -> None:
    (tmp_path / "gains.csv").write_text("0,1,0\n" * 3, encoding="utf-8")
    run("run", *GAINS, "strategy.path=gains.csv", stop=1)
    about, config = tmp_path / "run/run.json", from_yaml((tmp_path / "run/config.yaml").read_text(encoding="utf-8"))
    kept, parts = json.loads(about.read_text(encoding="utf-8")), build_parts(build(config))
    del kept["marks"]["files"]
    then = identity(parts.requested, parts.world, parts.net)
    assert then != kept["identity"]
    about.write_text(json.dumps({**kept, "identity": then}), encoding="utf-8")
    assert resume(tmp_path / "run")["rounds"] == 3


def test_resume_refuses_a_changed_private_module_of_code_of_ones_own(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "from dataclasses import dataclass\n\nimport _lost\n\nfrom fedmed.server.failures import Failures\n\n\n"
    own += '@dataclass(frozen=True, kw_only=True)\nclass Mine(Failures):\n    """Nobody drops out."""\n\n'
    own += "    def lost(self, asked, *, seed, round):\n        return _lost.LOST\n"
    (tmp_path / "mine.py").write_text(own, encoding="utf-8")
    (tmp_path / "_lost.py").write_text("LOST = []\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    run("run", f"failures={tmp_path}/mine.py", stop=1)
    (tmp_path / "_lost.py").write_text("LOST = [0]\n", encoding="utf-8")
    with pytest.raises(UserError, match="or the files behind it have changed"):
        resume_run(tmp_path / "run", overrides=[], show=make_run_display(quiet=True), trusted=[tmp_path])


def test_resume_refuses_a_folder_without_a_run(fedmed: Any, tmp_path: Path) -> None:
    code, _, err = fedmed("run", "resume=nowhere")
    assert code == 2
    assert "resume: expected a run directory" in err
    assert list(tmp_path.iterdir()) == []


def test_resume_names_a_damaged_checkpoint(run: Any, fedmed: Any, tmp_path: Path) -> None:
    run("run", stop=2)
    (file,) = (tmp_path / "run/checkpoints").glob("model_*.safetensors")
    file.write_bytes(file.read_bytes()[:-9])
    code, _, err = fedmed("run", "resume=run")
    assert code == 2
    assert file.name in err


def test_a_folder_that_holds_a_run_is_refused(run: Any, fedmed: Any, tmp_path: Path) -> None:
    run("run")
    before = weights(tmp_path / "run")
    code, _, err = fedmed("run", "hydra.run.dir=run", "dataset.images=160", "rounds=1")
    assert code == 2
    assert "Continue it with resume=" in err
    assert weights(tmp_path / "run") == before


@pytest.mark.parametrize("name", ["model.json", "federation.json", "run.json"])
def test_a_run_killed_while_its_directory_was_made_begins_where_it_is_resumed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run("straight")
    replace = os.replace

    def killed(source: str, target: Path) -> None:
        if Path(target).name == name:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr("os.replace", replace)
    assert not (tmp_path / "killed/run.json").exists()
    resume(tmp_path / "killed")
    assert trace(tmp_path / "killed") == trace(tmp_path / "straight")
    names = [{path.stem for path in (tmp_path / folder).glob("*.[jyn]*")} for folder in ("killed", "straight")]
    assert names[0] == names[1] > {"run", "model", "federation"}


@pytest.mark.parametrize("name", ["model.json", "federation.json"])
def test_a_run_without_one_of_its_files_gets_it_where_it_goes_on(run: Any, tmp_path: Path, name: str) -> None:
    run("stopped", stop=1)
    before = (tmp_path / "stopped" / name).read_bytes()
    (tmp_path / "stopped" / name).unlink()
    resume(tmp_path / "stopped")
    assert (tmp_path / "stopped" / name).read_bytes() == before
