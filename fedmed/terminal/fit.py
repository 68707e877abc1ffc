"""Tables on narrow screens: columns that do not fit stand in a further table below; no name and no figure is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from textwrap import wrap

from fedmed.terminal.text_table import TextTable

GAP = 3
"""Characters between two columns, as rich sets them."""


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
