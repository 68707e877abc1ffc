"""What a run tells, and that telling it changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fedmed.run import resume
from fedmed.terminal.progress import make_run_display
from fedmed.tracking import Subject, Tracker
from fedmed.tracking.contract import NoneTracking
from tests.run.traces import trace


class Diary(Tracker):
    """Writes down what every run tells."""

    def __init__(self) -> None:
        self.subjects: list[Subject] = []
        self.rounds: list[int] = []
        self.finals: list[Any] = []
        self.ends: list[str] = []

    def open(self, subject: Subject) -> Diary:
        self.subjects.append(subject)
        self.last = subject.sent
        return self

    def log(self, rows: Sequence[Any]) -> None:
        self.rounds += [row["round"] for row in rows]

    def finish(self, final: Any) -> None:
        self.finals.append(final)

    def close(self, end: str) -> None:
        self.ends.append(end)


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    written = Diary()
    monkeypatch.setattr(NoneTracking, "open", lambda _, subject: written.open(subject))
    return written


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder)).Reload()
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_every_run_leaves_tensorboard_its_rounds(run: Any, rounds: Any, tmp_path: Path) -> None:
    run("run")
    found = events(tmp_path / "run")
    for name in ("loss", "test.auc", "val.auc", "client.mean.auc", "client.worst.auc", "bytes.up", "seconds"):
        expected = [(row["round"], pytest.approx(row[name], rel=1e-6)) for row in rounds("run")]
        assert found[name.replace(".", "/", 1)] == expected


def test_a_resumed_run_leaves_tensorboard_each_round_once(run: Any, tmp_path: Path) -> None:
    run("straight", "checkpoint_every=2")
    run("stopped", "checkpoint_every=2", stop=1)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    straight, stopped = events(tmp_path / "straight"), events(tmp_path / "stopped")
    assert stopped["test/auc"] == straight["test/auc"]
    assert [step for step, _ in stopped["seconds"]] == [1, 2, 3]


def test_a_run_tells_what_it_is_what_it_does_and_how_it_ends(run: Any, diary: Diary, tmp_path: Path) -> None:
    final = run("run", "strategy=fedprox+fedbn", "strategy.fedprox.mu=0.5", "model.norm=batch", "seed=3")
    (subject,) = diary.subjects
    assert subject.tags["strategy"] == subject.params["strategy"] == "fedprox+fedbn"
    assert (subject.tags["seed"], len(subject.tags["identity"])) == ("3", 32)
    assert subject.params["strategy.fedprox.mu"] == 0.5
    assert subject.params["partition"] == "dirichlet"
    assert subject.params["scopes"] == "['test', 'client']"
    assert [name for name in subject.params if "_target_" in name or name.startswith("tracking.")] == []
    assert (diary.rounds, diary.finals, diary.ends) == ([1, 2, 3], [final], ["finished"])


def test_a_run_that_goes_on_says_what_it_has_told(run: Any, diary: Diary, tmp_path: Path) -> None:
    run("run", "checkpoint_every=2", "rounds=4", stop=3)
    assert (diary.rounds, diary.ends) == ([1, 2, 3], ["interrupted"])
    resume(tmp_path / "run", overrides=[], show=make_run_display(quiet=True))
    first, second = diary.subjects
    assert (second.done, second.sent, second.label) == (2, 3, first.label)
    assert (diary.rounds, diary.ends) == ([1, 2, 3, 4], ["interrupted", "finished"])


def test_telling_changes_no_bit(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("alone", "strategy=scaffold")
    monkeypatch.setattr(NoneTracking, "open", lambda _, subject: Diary().open(subject))
    run("told", "strategy=scaffold")
    assert trace(tmp_path / "told") == trace(tmp_path / "alone")


def test_where_a_run_is_told_of_is_no_part_of_its_identity(run: Any, diary: Diary) -> None:
    run("one")
    run("other", "tracking.group=all")
    assert len({subject.tags["identity"] for subject in diary.subjects}) == 1


def test_a_missing_package_is_refused_before_anything_is_written(
    fedmed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fedmed.tracking import contract

    monkeypatch.setattr(contract, "find_spec", lambda name: None)
    code, _, err = fedmed("run", "experiment=smoke", "tracking=mlflow")
    assert code == 2
    assert "pip install 'fedmed-sim[mlflow]'" in err
    assert list(tmp_path.iterdir()) == []
