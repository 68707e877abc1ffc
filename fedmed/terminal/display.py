"""Displays of work under way: what those of a run and of a comparison share, and which of them fits a stream.

A display writes to the one stream that it is given and uses no thread: worker processes may be forked while it shows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

Shown = TypeVar("Shown", bound="Display")

REDRAWN = 0.1
"""Seconds between two drawings of a live display."""


class Display:
    """The base class of displays, which shows nothing. A context manager that ends with `stop`."""

    def warn(self, text: str) -> None:
        """Shows something that the user must know, even when quiet."""
        return

    def stop(self) -> None:
        """Ends, and leaves the terminal as it was; may be called twice."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass
class LineDisplay(Display):
    """Writes whole lines to the stream, and of itself only warnings."""

    stream: TextIO

    def say(self, text: str) -> None:
        """Writes a line."""
        print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")


@dataclass
class LiveDisplay(LineDisplay):
    """Draws bars anew in place while `bar` is set; lines stand above them.

    drawn: when the bars were last drawn, in seconds of the monotonic clock.
    """

    bar: Progress | None = None
    drawn: float = 0.0

    def say(self, text: str) -> None:
        if self.bar is None:
            super().say(text)
        else:
            self.bar.console.print(text, markup=False, highlight=False)

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    @property
    def due(self) -> bool:
        """Whether the bars may be drawn again: redrawing costs time that a run of short rounds would feel."""
        return time.monotonic() - self.drawn > REDRAWN

    def draw(self) -> None:
        """Draws the bars as they are now."""
        if self.bar is not None:
            self.drawn = time.monotonic()
            self.bar.refresh()


def fitting_display(
    silent: Callable[[TextIO], Shown],
    plain: Callable[[TextIO], Shown],
    live: Callable[[TextIO], Shown],
    *,
    quiet: bool,
    stream: TextIO | None,
) -> Shown:
    """One of three displays: the silent one when quiet, else the live one on a terminal and the plain one elsewhere.

    stream: standard error when None.
    """
    target: TextIO = stream or sys.stderr
    if quiet:
        return silent(target)
    return live(target) if can_redraw(target) else plain(target)


def can_redraw(stream: TextIO) -> bool:
    """Whether the stream is a terminal on which lines can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def progress_bars(stream: TextIO, *columns: ProgressColumn) -> Progress:
    """Columns that are drawn when asked for; standard output is left alone, since a script may read it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=stream, force_terminal=True)
    return Progress(*columns, console=console, auto_refresh=False, redirect_stdout=False)
