"""Whoever is told of a run hears each round once and in order, and can stop none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fedmed.tracking import Subject, TrackedRun, Tracker, Tracking, follow, gathered
from fedmed.tracking.contract import NoneTracking, TrackerGroup


@dataclass
class Heard(Tracker, TrackerGroup):
    """Writes down what it is told, and fails where it is down."""

    last: int = 0
    rounds: list[int] = field(default_factory=list)
    words: list[Any] = field(default_factory=list)
    down: bool = False
    opened: int = 0

    def log(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self._reach()
            self.rounds.append(row["round"])
            self.last = row["round"]

    def finish(self, final: Any) -> None:
        self._reach()
        self.words.append(final)

    def close(self, end: str, files: Sequence[Path] = ()) -> None:
        self._reach()
        self.words += [end, *(file.name for file in files)]

    def _reach(self) -> None:
        if self.down:
            raise ConnectionError("refused\nand a long story")


@dataclass(frozen=True, kw_only=True)
class Ear(Tracking):
    """Says: there."""

    recorded: Heard = field(default_factory=Heard)

    def open(self, subject: Subject) -> Tracker:
        self.recorded._reach()
        self.recorded.opened += 1
        return self.recorded

    def gather(self) -> TrackerGroup:
        self.recorded._reach()
        return self.recorded


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(follow.time, "monotonic", lambda: now[0])
    return now


def rows(*rounds: int) -> list[dict[str, Any]]:
    return [{"round": round, "loss": 1.0} for round in rounds]


@pytest.fixture
def warnings() -> list[str]:
    return []


def test_each_round_is_told_once_in_order_and_the_end(tmp_path: Path, warnings: list[str]) -> None:
    ear = Ear()
    with TrackedRun(ear, Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
        for row in rows(1, 2, 3):
            followed.round(row)
        followed.finish({"test.auc": 1.0})
    assert ear.recorded.rounds == [1, 2, 3]
    assert ear.recorded.words == [{"test.auc": 1.0}, "finished"]
    assert warnings == []


def test_a_message_a_second_at_most(tmp_path: Path, warnings: list[str], clock: list[float]) -> None:
    ear = Ear()
    with TrackedRun(ear, Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
        for row in rows(1, 2):
            followed.round(row)
        assert ear.recorded.rounds == []
        clock[0] += follow.EVERY
        followed.round(rows(3)[0])
        assert ear.recorded.rounds == [1, 2, 3]


def test_what_is_known_there_is_not_told_again(tmp_path: Path, warnings: list[str]) -> None:
    ear = Ear(recorded=Heard(last=2))
    subject = Subject(folder=tmp_path, label="a", done=1)
    with TrackedRun(ear, subject, kept=rows(1), warn=warnings.append) as followed:
        for row in rows(2, 3):
            followed.round(row)
    assert ear.recorded.rounds == [3]


def test_what_was_never_told_is_told_when_a_run_goes_on(tmp_path: Path, warnings: list[str]) -> None:
    ear = Ear()
    with TrackedRun(ear, Subject(folder=tmp_path, label="a", done=2), kept=rows(1, 2), warn=warnings.append):
        pass
    assert ear.recorded.rounds == [1, 2]


def test_who_is_away_stops_no_run_and_is_told_when_back(
    tmp_path: Path, warnings: list[str], clock: list[float]
) -> None:
    ear = Ear()
    with TrackedRun(ear, Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
        ear.recorded.down = True
        for number in (1, 2, 3):
            clock[0] += follow.AGAIN
            followed.round(rows(number)[0])
        ear.recorded.down = False
        followed.round(rows(4)[0])
        assert ear.recorded.rounds == []
        clock[0] += follow.AGAIN
        followed.round(rows(5)[0])
    assert ear.recorded.rounds == [1, 2, 3, 4, 5]
    assert warnings == ["Ear cannot be told of this run (refused); the run goes on"]


def test_who_is_away_from_first_to_last_gets_two_warnings(
    tmp_path: Path, warnings: list[str], clock: list[float]
) -> None:
    ear = Ear(recorded=Heard(down=True))
    with TrackedRun(ear, Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
        for row in rows(1, 2, 3):
            clock[0] += follow.AGAIN
            followed.round(row)
        followed.finish({})
    assert warnings == [
        "Ear cannot be told of this run (refused); the run goes on",
        "Ear has not been told of rounds 1 to 3",
    ]


@pytest.mark.parametrize(("error", "end"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed")])
def test_a_run_that_breaks_off_says_how(tmp_path: Path, warnings: list[str], error: Any, end: str) -> None:
    ear = Ear()

    def broken_off() -> None:
        with TrackedRun(ear, Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
            followed.round(rows(1)[0])
            raise error

    with pytest.raises(error):
        broken_off()
    assert ear.recorded.rounds == [1]
    assert ear.recorded.words == [end]


def test_nobody_listens_by_default(tmp_path: Path, warnings: list[str]) -> None:
    with TrackedRun(NoneTracking(), Subject(folder=tmp_path, label="a"), warn=warnings.append) as followed:
        followed.round(rows(1)[0])
        followed.finish({})
    assert warnings == []


def test_a_comparison_is_gathered_with_the_files_that_there_are(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "report.html").touch()
    ear = Ear(group="all")
    with gathered(ear, files=[tmp_path / "report.html", tmp_path / "none.csv"], warn=warnings.append):
        assert ear.recorded.words == []
    assert ear.recorded.words == ["finished", "report.html"]


def test_a_comparison_says_how_it_broke_off(warnings: list[str]) -> None:
    ear = Ear(group="all")
    with pytest.raises(KeyboardInterrupt), gathered(ear, warn=warnings.append):
        raise KeyboardInterrupt
    assert ear.recorded.words == ["interrupted"]


def test_a_comparison_goes_on_where_nobody_answers(warnings: list[str]) -> None:
    with gathered(Ear(recorded=Heard(down=True)), warn=warnings.append):
        pass
    assert warnings == ["Ear cannot be told of this run (refused); the run goes on"]
