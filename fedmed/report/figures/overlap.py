"""Lines that run on top of each other: where they do, and how all of them stay visible there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fedmed.formatting import first_few, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fedmed.report.series import Band, Values

NEAR = 1.3
"""Points that lines are apart where they can be told apart."""

DASH = 3.5
"""Length of a dash, in widths of the line."""


SHORT = 8
"""Stretches of less than one part of that many of a line are left as they are."""


class Overlap(NamedTuple):
    """From which point to which some lines run together."""

    start: int
    end: int
    names: tuple[str, ...]


def overlaps(lines: Mapping[str, Values]) -> list[Overlap]:
    """Where lines (points, 2) run together, in the order in which they part."""
    open: dict[tuple[str, ...], int] = {}
    found: list[Overlap] = []
    longest = max(map(len, lines.values()), default=0)
    for at in range(longest):
        here = _together(lines, at)
        found += [Overlap(open.pop(names), at, names) for names in [*open] if names not in here]
        open |= {names: at for names in here if names not in open}
    return found


def _together(lines: Mapping[str, Values], at: int) -> list[tuple[str, ...]]:
    """Groups of lines, two or more, that run together from this point to the next."""
    groups: list[list[str]] = []
    for name, line in lines.items():
        mine = next((group for group in groups if _near(lines[group[0]], line, at)), None)
        groups.append([name]) if mine is None else mine.append(name)
    return [tuple(group) for group in groups if len(group) > 1]


def _near(one: Values, other: Values, at: int) -> bool:
    a, b = one[at : at + 2], other[at : at + 2]
    return len(a) == len(b) == 2 and bool((np.abs(a - b) <= NEAR).all())


def redraw_overlaps(ax: Axes, lines: Mapping[str, Band], colors: Mapping[str, str]) -> str:
    """Draws lines that run together as dashes of all their colours in turn; who coincides all along, as a sentence.

    The plot's limits are set, and the lines are drawn.
    """
    scale = 72 / ax.figure.dpi
    places = {name: scale * ax.transData.transform(np.stack([of.x, of.mean], 1)) for name, of in lines.items()}
    found = overlaps(places)
    for start, end, names in found:
        if end - start < len(lines[names[0]].x) // SHORT:
            continue  # lines that cross
        line = lines[names[0]]
        _dashes(ax, line.x[start : end + 1], line.mean[start : end + 1], [colors[name] for name in names])
    whole = [
        each.names for each in found if each.start == 0 and all(len(lines[n].x) == each.end + 1 for n in each.names)
    ]
    return " ".join(f"{_named(names)} coincide." for names in whole)


def _named(names: Sequence[str]) -> str:
    return joined([*names]) if len(names) < 6 else first_few(names)


def _dashes(ax: Axes, x: Values, y: Values, colors: Sequence[str]) -> None:
    for number, color in enumerate(colors):
        pattern = (-DASH * number, (DASH, DASH * (len(colors) - 1)))
        ax.plot(x, y, color=color, linestyle=pattern, dash_capstyle="butt", zorder=3)
