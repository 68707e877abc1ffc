"""Two columns of plain text that fit the terminal: a name, and what there is to say of it."""

from __future__ import annotations

from shutil import get_terminal_size
from textwrap import fill


def beside(lead: str, text: str) -> str:
    """The text behind its lead, wrapped between words under its own beginning; a long word is never broken."""
    return fill(
        text,
        max(40, get_terminal_size().columns),
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
