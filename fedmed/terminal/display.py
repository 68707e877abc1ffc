"""What views of work under way share: how they end, and which of them fits a stream.

They write to the one stream that they are given and use no thread: worker processes may be forked while they show.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


class Display(Protocol):
    """Shows nothing by itself. A context manager that ends with `stop`."""

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


def moves(stream: TextIO) -> bool:
    """Whether the stream is a terminal on which lines can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def bar(stream: TextIO, *columns: ProgressColumn) -> Progress:
    """Columns that are drawn when asked for; standard output is left alone, since a script may read it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=stream, force_terminal=True)
    return Progress(*columns, console=console, auto_refresh=False, redirect_stdout=False)
