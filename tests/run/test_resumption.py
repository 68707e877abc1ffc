"""A run that is made longer is, bit for bit, one that was as long from the start; where it could not be, it stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedmed.files import write_atomically
from fedmed.run import resume
from fedmed.rundir import directory
from fedmed.terminal.progress import make_run_display
from tests.run.conftest import StopAfter
from tests.run.traces import trace

CASES = {
    "scaffold": ("strategy=scaffold", "clients_per_round=2", "server=adam"),
    "steps": ("optimizer.schedule=steps", "optimizer.milestones=[2,4]", "eval_every=2", "checkpoint_every=3"),
    "a method with a memory": ("strategy=fedprox+fedper", "clients_per_round=2", "scopes=[client,adapted]"),
    "out of patience": ("patience=1", "optimizer.lr=1e-9", "metric=accuracy"),
    "failures": ("failures=dropout", "sampling=availability", "compression=topk"),
}


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_a_longer_run_is_the_long_one_bit_for_bit(
    run: Any, fedmed: Any, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    run("long", *overrides, "rounds=5")
    run("run", *overrides, "rounds=2")
    code, out, err = fedmed("run", "resume=run", "rounds=5", "--json")
    assert code == 0, err
    assert json.loads(out)["rounds"] == json.loads((tmp_path / "long/final.json").read_text(encoding="utf-8"))["rounds"]
    assert trace(tmp_path / "run") == trace(tmp_path / "long")
    configs = [(tmp_path / name / "config.yaml").read_text(encoding="utf-8") for name in ("run", "long")]
    assert configs[0] == configs[1]


def test_one_that_is_stopped_on_the_way_goes_on_to_the_later_end(run: Any, fedmed: Any, tmp_path: Path) -> None:
    run("long", "rounds=5")
    run("run", "rounds=2")
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "run", overrides=["rounds=5"], show=StopAfter(3))
    assert not (tmp_path / "run/final.json").exists()
    assert fedmed("run", "resume=run", "-q")[0] == 0
    assert trace(tmp_path / "run") == trace(tmp_path / "long")


def test_an_unfinished_run_can_be_made_longer_too(run: Any, tmp_path: Path) -> None:
    run("long", "rounds=5")
    run("run", "rounds=4", stop=1)
    resume(tmp_path / "run", overrides=["rounds=5"], show=make_run_display(quiet=True))
    assert trace(tmp_path / "run") == trace(tmp_path / "long")


@pytest.mark.parametrize(
    ("overrides", "longer", "words"),
    [
        (("optimizer.schedule=cosine",), 5, "optimizer.schedule=cosine falls to 0 at the last"),
        (("eval_every=3",), 5, "round 2 was evaluated only because it was the last"),
        (("dataset=synthetic_multilabel", "strategy=fedprox+fedmlp"), 5, "fedmlp reads how many there are"),
        ((), 1, "cannot be made shorter"),
    ],
)
def test_where_it_would_be_another_run_nothing_changes(
    run: Any, fedmed: Any, tmp_path: Path, overrides: tuple[str, ...], longer: int, words: str
) -> None:
    run("run", *overrides, "rounds=2")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code, out, err = fedmed("run", "resume=run", f"rounds={longer}")
    assert (code, out) == (2, "")
    assert words in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("written", range(3))
def test_a_kill_while_the_plan_changes_leaves_a_run_that_goes_on(
    run: Any, fedmed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Killed before each of the files that tell the plan is written."""
    run("long", "rounds=5")
    run("run", "rounds=2")
    left = iter(range(written))

    def write(path: Path, content: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_atomically(path, content)

    monkeypatch.setattr(directory, "write_atomically", write)
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "run", overrides=["rounds=5"], show=make_run_display(quiet=True))
    monkeypatch.setattr(directory, "write_atomically", write_atomically)
    assert fedmed("run", "resume=run", "rounds=5", "-q")[0] == 0
    assert trace(tmp_path / "run") == trace(tmp_path / "long")
