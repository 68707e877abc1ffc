"""Sends rounds and results to trackers: in order, each round once, and a tracker that fails stops no run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from fedmed.tracking.contract import End, Row, Subject, Tracker, Tracking
from fedmed.tracking.events import Events

EVERY, AGAIN = 1.0, 60.0
"""Seconds between two messages to a tracker, and after one that failed."""

Result = TypeVar("Result")
Warn = Callable[[str], None]


class TrackedRun:
    """A run whose rounds are sent on: to TensorBoard's events in its directory, and to its tracking.

    A context manager around the rounds and the final result. kept: rows of the rounds that it starts from.
    """

    def __init__(self, tracking: Tracking, subject: Subject, *, kept: Sequence[Row] = (), warn: Warn) -> None:
        self._events = Events(subject)
        self._line = RetryingTracker(tracking, subject, kept, warn)

    def round(self, row: Row) -> None:
        """Sends the row of a round that ended."""
        self._events.log([row])
        self._line.round(row)

    def finish(self, final: Row) -> None:
        """Sends the final result, which lies in the directory already."""
        self._line.finish(final)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = ending(kind)
        self._events.close(end)
        self._line.close(end)


class RetryingTracker:
    """A line to a tracker that ends no run: what it does not take is kept, and tried again now and then."""

    def __init__(self, tracking: Tracking, subject: Subject, kept: Sequence[Row], warn: Warn) -> None:
        self._tracking, self._subject, self._warn = tracking, subject, warn
        self._tracker: Tracker | None = None
        self._waiting = list(kept)
        self._due = 0.0
        self._warned = False
        self._send()

    def round(self, row: Row) -> None:
        """Keeps the row of a round, and sends all kept rows if the last message is long enough ago."""
        self._waiting.append(row)
        if time.monotonic() >= self._due:
            self._send()

    def finish(self, final: Row) -> None:
        """Sends all rounds and the final result."""
        self._send()
        if (tracker := self._tracker) and not self._waiting:
            self._try(lambda: tracker.finish(final))

    def close(self, end: End) -> None:
        """Sends all rounds and hangs up; says what was not sent."""
        if self._waiting:
            self._send()
        if tracker := self._tracker:
            self._try(lambda: tracker.close(end))
        if self._waiting:
            first, last = self._waiting[0]["round"], self._waiting[-1]["round"]
            self._warn(f"{self._tracking.place} has not been told of rounds {first} to {last}")

    def _send(self) -> None:
        self._due = time.monotonic() + EVERY
        self._try(self._deliver)

    def _deliver(self) -> None:
        if self._tracker is None:
            self._tracker = self._tracking.open(self._subject)
        rows = [row for row in self._waiting if self._tracker and row["round"] > self._tracker.last]
        if self._tracker and rows:
            self._tracker.log(rows)
        self._waiting.clear()

    def _try(self, action: Callable[[], None]) -> None:
        _attempt(action, self._tracking, self._failed)

    def _failed(self, text: str) -> None:
        self._due = time.monotonic() + AGAIN
        if not self._warned:
            self._warned = True
            self._warn(text)


@contextmanager
def gathered(tracking: Tracking, *, files: Sequence[Path] = (), warn: Warn) -> Iterator[None]:
    """Gathers the runs of a comparison, each with the same `tracking.group`, for the length of a block.

    files: what is kept with them, of those that are there when the block ends.
    """
    tracking.check()
    gathering = _attempt(tracking.gather, tracking, warn)
    end: End = "finished"
    try:
        yield
    except BaseException as error:
        end = ending(type(error))
        raise
    finally:
        if gathering:
            _attempt(lambda: gathering.close(end, [file for file in files if file.is_file()]), tracking, warn)


def ending(kind: type[BaseException] | None) -> End:
    """`finished`, `interrupted` or `failed`, by the exception that ended a block."""
    if kind is None:
        return "finished"
    return "interrupted" if issubclass(kind, KeyboardInterrupt) else "failed"


def _attempt(action: Callable[[], Result], tracking: Tracking, failed: Warn) -> Result | None:
    """The result of the action; None where it fails, after a call of `failed` with the reason."""
    try:
        return action()
    except Exception as error:  # the tracker's library may raise anything, and none of it is worth a run
        failed(f"{tracking.place} cannot be told of this run ({_reason(error)}); the run goes on")
        return None


def _reason(error: Exception) -> str:
    """The first line of what an error says, cut where it gets long."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) < 200 else f"{text[:197]}..."
