"""The contract of a tracker: what is sent to it about a run, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from fedmed.errors import refuse
from fedmed.options.base import Options

Row = Mapping[str, Any]
"""What a round gave: `round`, and numbers by name, some of them None."""

End = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What identifies a run to a tracker.

    folder: its directory. label: what tells it from all others, also when it goes on. params: its configuration, flat.
    tags: what it is found by (`strategy`, `seed`, ...). metric: its headline (`auc`).
    done: rounds that it starts from; 0 for a new run. sent: the last round that was sent before; 0 for a new run.
    """

    folder: Path
    label: str
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metric: str = "loss"
    done: int = 0
    sent: int = 0

    @property
    def name(self) -> str:
        """The run's name in a tracker's list of runs."""
        return self.folder.name


class Tracker(ABC):
    """One run's connection to a tracking service; any call may raise whatever goes wrong there.

    last: the last round that is known there; rounds up to it are not sent again.
    """

    last: int = 0

    @abstractmethod
    def log(self, rows: Sequence[Row]) -> None:
        """Sends the rows of rounds that ended, in order."""

    def finish(self, final: Row) -> None:
        """Sends the final result."""
        return

    def close(self, end: End) -> None:
        """Closes the connection. end: how the run ended."""
        return


class TrackerGroup(ABC):
    """What the runs of a comparison are found under, for as long as they run."""

    @abstractmethod
    def close(self, end: End, files: Sequence[Path]) -> None:
        """Ends it; files: what is kept with it, such as a report."""


@dataclass(frozen=True, kw_only=True)
class Tracking(Options):
    """Where rows and results of a run are sent, besides its directory.

    group: name of the comparison that the run is part of (null: none).
    """

    group: str | None = None

    def check(self) -> None:
        """Raises `UserError` where something is missing that it takes."""
        return

    def open(self, subject: Subject) -> Tracker | None:
        """A tracker for a run; None where there is none to send to."""
        return None

    def gather(self) -> TrackerGroup | None:
        """Makes what the runs of the group are found under; None where nothing has to be made."""
        return None

    @property
    def place(self) -> str:
        """The tracker's name in warnings."""
        return type(self).__name__


@dataclass(frozen=True, kw_only=True)
class NoneTracking(Tracking):
    """Nowhere but in its directory, which holds TensorBoard's events too."""


def numbers(row: Row) -> dict[str, float]:
    """What can be drawn of a row: its numbers but the round's, those without a value left out."""
    found = {name: value for name, value in row.items() if name != "round" and isinstance(value, (int, float))}
    return {name: float(value) for name, value in found.items() if isfinite(value)}


def grouped(name: str) -> str:
    """`test/auc` for `test.auc`: TensorBoard and Weights & Biases put those with one beginning together."""
    return name.replace(".", "/", 1)


def require(package: str, extra: str) -> None:
    """Raises `UserError` where the package of an optional tracker is not installed."""
    if find_spec(package) is None:
        fix = f"Install it: pip install 'fedmed-sim[{extra}]', or leave tracking={extra} out."
        raise refuse(f"tracking={extra}", f"the package {package}", "no such package", fix)
