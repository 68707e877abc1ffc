"""A small table that prints as a rich table on a terminal and as plain text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedmed.errors import visible

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Rows of text under a header, with lines of text above and below.

    header: one text per column. rows: one text per column and row. left: columns aligned left; the others right.
    breaks: rows after which a rule is drawn. above, below: whole lines; the lines below are never wrapped.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: frozenset[int] = frozenset({0})
    breaks: frozenset[int] = frozenset()
    above: Sequence[str] = ()
    below: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Names may be a stranger's: what would steer the terminal is written out."""
        for name in ("header", "above", "below"):
            object.__setattr__(self, name, [visible(text) for text in getattr(self, name)])
        object.__setattr__(self, "rows", [[visible(cell) for cell in row] for row in self.rows])

    @property
    def widths(self) -> list[int]:
        """Characters per column."""
        return [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]

    @property
    def width(self) -> int:
        """Characters of a line, as rich sets it."""
        return sum(self.widths) + 3 * (len(self.widths) - 1)

    def text(self) -> str:
        """Aligned plain text, without a line end."""
        lines = [self._line(row) for row in (self.header, *self.rows)]
        rule = "-" * max(map(len, lines))
        body = [lines[0], rule]
        for number, line in enumerate(lines[1:]):
            body += [line, rule] if number in self.breaks else [line]
        return "\n".join([*self.above, *body, *self.below])

    def rich(self) -> RenderableType:
        """The same for a rich console."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
        for number, name in enumerate(self.header):
            table.add_column(Text(name), justify="left" if number in self.left else "right", no_wrap=True)
        for number, row in enumerate(self.rows):
            table.add_row(*map(Text, row), end_section=number in self.breaks)
        below = [Text(line, no_wrap=True, overflow="ignore") for line in self.below]
        return Group(*(Text(line, style="bold") for line in self.above), table, *below)

    def _line(self, row: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if number in self.left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, self.widths, strict=True))
        )
        return "  ".join(cells).rstrip()
