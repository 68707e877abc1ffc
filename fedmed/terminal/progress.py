"""What a run shows while it runs: a live bar on a terminal, about ten lines elsewhere, only warnings when quiet."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from fedmed.rundir.rounds import Row
from fedmed.terminal.display import Display, bar, moves
from fedmed.terminal.pace import Pace

if TYPE_CHECKING:
    from rich.progress import Progress


class RunDisplay(Display, Protocol):
    """A view of a running experiment."""

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        """Begins: `done` of `rounds` rounds are done already; `metric` (`auc`) is the one to show."""
        return

    def round(self, row: Row) -> None:
        """Shows a round that ended: `round`, `loss`, `seconds`, and after an evaluation `test.<metric>` and others."""
        return

    def note(self, text: str) -> None:
        """Shows something worth knowing."""
        return


def make_run_display(*, quiet: bool = False, stream: TextIO | None = None) -> RunDisplay:
    """The view that fits the stream (standard error when None)."""
    target: TextIO = stream or sys.stderr
    if quiet:
        return QuietRunDisplay(target)
    return LiveRunDisplay(target) if moves(target) else PlainRunDisplay(target)


@dataclass
class QuietRunDisplay(RunDisplay):
    """Only warnings."""

    stream: TextIO

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=self.stream, flush=True)


@dataclass
class PlainRunDisplay(RunDisplay):
    """Plain lines: the first round, the last, and about ten between."""

    stream: TextIO
    pace: Pace | None = None
    shown: int = 0

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self.pace, self.shown = Pace(rounds, done, metric), done

    def round(self, row: Row) -> None:
        if self.pace is None:
            return
        self.pace.add(row)
        if (
            self.pace.done in (self.pace.first, self.pace.rounds)
            or self.pace.done % max(1, self.pace.rounds // 10) == 0
        ):
            self._print()

    def note(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def stop(self) -> None:
        if self.pace and self.pace.done > self.shown:
            self._print()

    def _print(self) -> None:
        if self.pace:
            self.shown = self.pace.done
            self.note("  ".join(filter(None, self.pace.texts().values())))


@dataclass
class LiveRunDisplay(RunDisplay):
    """A bar that moves with every round, redrawn at most ten times a second."""

    stream: TextIO
    pace: Pace | None = None
    bar: Progress | None = None
    drawn: float = 0.0

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self.stop()
        self.pace, self.bar = Pace(rounds, done, metric), _bar(self.stream)
        self.bar.start()
        fields: dict[str, Any] = self.pace.texts()
        self.bar.add_task("", total=rounds, completed=done, **fields)
        self.bar.refresh()

    def round(self, row: Row) -> None:
        if self.pace is None or self.bar is None:
            return
        self.pace.add(row)
        fields: dict[str, Any] = self.pace.texts()
        self.bar.update(self.bar.task_ids[0], completed=self.pace.done, **fields)
        if time.monotonic() - self.drawn > 0.1:
            self.bar.refresh()
            self.drawn = time.monotonic()

    def note(self, text: str) -> None:
        if self.bar is None:
            print(text, file=self.stream, flush=True)
        else:
            self.bar.console.print(text, markup=False, highlight=False)

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _bar(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, TextColumn
    from rich.table import Column

    styles = {"loss": "default", "metric": "bold", "rate": "dim", "left": "cyan"}
    columns = [
        TextColumn(f"{{task.fields[{name}]}}", style=style, table_column=Column(no_wrap=True))
        for name, style in styles.items()
    ]
    first = TextColumn("{task.fields[round]}", table_column=Column(no_wrap=True))
    return bar(stream, first, BarColumn(bar_width=24), *columns)
