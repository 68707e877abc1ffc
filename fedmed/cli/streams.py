"""Output that ends no command: an ascii terminal gets its nearest characters, one that is gone gets nothing."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import Any

NEAREST = {
    **dict.fromkeys("─━═╌┄–—‐‑−", "-"),  # noqa: RUF001
    **dict.fromkeys("│┃║╎┆", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰┏┓┗┛┡┩╇╈╋╺╸", "+"),
    **dict.fromkeys("█▉▊▋▌▐▓▒░▁▂▃▄▅▆▇■●", "#"),
    **dict.fromkeys("·•∙", "."),
    **dict.fromkeys("‘’", "'"),  # noqa: RUF001
    **dict.fromkeys("“”", '"'),
    "±": "+-",
    "×": "x",  # noqa: RUF001
    "…": "...",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "✓": "ok",
    "✗": "x",
    "Δ": "d",
}


def prepare() -> None:
    """Makes standard output and error of this process take any text, and standard error survive its reader."""
    codecs.register_error("nearest", _nearest)
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr.fileno() == 2:
        writer = io.BufferedWriter(_ErrorIgnoringWriter(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(writer, encoding=sys.stderr.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="nearest")


class _ErrorIgnoringWriter(io.FileIO):
    """Standard error, which says how a run goes: that it cannot be written is no reason to end the run."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:  # a terminal that has closed, a full disk behind a redirection
            return memoryview(data).nbytes


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks: look-alikes, letters without their accents, or `?`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(map(_plain, text)), error.end


def _plain(character: str) -> str:
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return NEAREST.get(character) or letters or "?"
