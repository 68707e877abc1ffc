"""Small tables that print as rich tables on a terminal and as plain text elsewhere.

On narrow screens columns that do not fit stand in a further table below; no name and no figure is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from textwrap import wrap
from typing import TYPE_CHECKING

from fedmed.errors import visible

if TYPE_CHECKING:
    from rich.console import RenderableType


GAP = 3
"""Characters between two columns, as rich sets them."""


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
        return sum(self.widths) + GAP * (len(self.widths) - 1)

    def text(self) -> str:
        """Aligned plain text, without a line end."""
        lines = [self._line(row) for row in (self.header, *self.rows)]
        rule = "-" * max(map(len, lines))
        body = [lines[0], rule]
        for number, line in enumerate(lines[1:]):
            body += [line, rule] if number in self.breaks else [line]
        return "\n".join([*self.above, *body, *self.below])

    def rich(self) -> RenderableType:
        """The table for a rich console, in bold and with rules."""
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


def fit(grid: TextTable, width: int) -> list[TextTable]:
    """Tables of at most `width` characters that say what the grid says.

    Its leading columns aligned left, which name the rows, are repeated in each. Where they leave too little room the
    rows are numbered instead, and a list says which is which. Texts (columns aligned left) are wrapped.
    """
    if grid.width <= width:
        return [replace(grid, above=_wrapped(grid.above, width))]
    grid = _numbered_if_long(grid, width)
    keys = _keys(grid)
    room = width - sum(grid.widths[:keys]) - GAP * keys
    groups = list(_groups(grid.widths[keys:], room))
    parts = []
    for place, group in enumerate(groups):
        columns = [*range(keys), *(keys + number for number in group)]
        first, last = place == 0, place == len(groups) - 1
        above, below = _wrapped(grid.above, width) if first else [""], grid.below if last else ()
        parts.append(_wrap_texts(_part(grid, columns, above=above, below=below), room))
    return parts


def _keys(grid: TextTable) -> int:
    """How many leading columns name a row; always one."""
    return max(1, len(list(takewhile(lambda number: number in grid.left, range(len(grid.header) - 1)))))


def _numbered_if_long(grid: TextTable, width: int) -> TextTable:
    """The grid with numbers for the names of its rows, where no figure has room beside them."""
    keys = _keys(grid)
    figures = [size for number, size in enumerate(grid.widths) if number >= keys and number not in grid.left]
    if sum(grid.widths[:keys]) + GAP * keys + max(figures, default=width // 2) <= width:
        return grid
    names = ["  ".join(part for part in row[:keys] if part) for row in grid.rows]
    lead = len(str(len(names)))
    legend = [
        line
        for number, name in enumerate(names, 1)
        for line in wrap(name, width, initial_indent=f"{number:>{lead}} ", subsequent_indent=" " * (lead + 1))
    ]
    rows = [[str(number), *row[keys:]] for number, row in enumerate(grid.rows, 1)]
    left = frozenset(number - keys + 1 for number in grid.left if number >= keys)
    return replace(grid, header=["", *grid.header[keys:]], rows=rows, left=left, above=[*grid.above, *legend, ""])


def _groups(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Columns that fit beside each other, in order; one that is too wide stands alone."""
    group: list[int] = []
    for number, size in enumerate(widths):
        if group and sum(widths[each] + GAP for each in group) + size > room:
            yield group
            group = []
        group.append(number)
    yield group


def _part(grid: TextTable, columns: Sequence[int], *, above: Sequence[str], below: Sequence[str]) -> TextTable:
    rows = [[row[number] for number in columns] for row in grid.rows]
    left = frozenset(place for place, number in enumerate(columns) if number in grid.left)
    header = [grid.header[number] for number in columns]
    return replace(grid, header=header, rows=rows, left=left, above=above, below=below)


def _wrap_texts(grid: TextTable, room: int) -> TextTable:
    """The grid with texts that are longer than the room on several lines."""
    last = len(grid.header) - 1
    if last not in grid.left or last < _keys(grid) or grid.widths[last] <= room:
        return grid
    rows: list[list[str]] = []
    breaks = set()
    for number, row in enumerate(grid.rows):
        first, *rest = wrap(row[last], room, break_on_hyphens=False) or [""]
        rows += [[*row[:last], first], *([""] * last + [line] for line in rest)]
        breaks |= {len(rows) - 1} if number in grid.breaks else set()
    return replace(grid, rows=rows, breaks=frozenset(breaks))


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in wrap(line, width) or [""]]
