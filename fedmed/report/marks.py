"""Marks that several figures share: lines with bands, names at the ends of lines, strips of dots, names of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fedmed.report.ink import FAINT, INK, PAPER, Look
from fedmed.report.series import Band, Values
from fedmed.results.plot_parts import inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 10.0
"""Points between the names at the ends of lines."""

LONGEST = 22
"""Characters of a name in a figure."""


class End(NamedTuple):
    """A name beside the end of its line."""

    text: str
    y: float
    color: str


def cut(name: str, longest: int = LONGEST) -> str:
    """The name, cut where it is too long for a figure."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def room(names: Sequence[str]) -> float:
    """Inches that names beside a plot take."""
    return max((inches(cut(name), 8.5) for name in names), default=0.0) + 0.14


def band(ax: Axes, line: Band, look: Look) -> None:
    """A line, and behind it its band, where there is one."""
    if (line.high > line.low).any():
        ax.fill_between(line.x, line.low, line.high, color=look.color, alpha=0.13, linewidth=0)
    ax.plot(line.x, line.mean, color=look.color, linestyle=look.dash)
    ax.plot(line.x[-1:], line.mean[-1:], "o", color=look.color, markersize=3.2)


def names_at_ends(ax: Axes, ends: Sequence[End]) -> None:
    """Names right of the plot, each as near to the end of its line as the others leave room; limits are set before."""
    low, high = ax.get_ylim()
    tall = ax.get_window_extent().height / ax.figure.dpi * 72
    order = sorted(ends, key=lambda end: end.y)
    wanted = [(end.y - low) / (high - low) * tall for end in order]
    for end, at in zip(order, spread(wanted, GAP, tall), strict=True):
        ax.annotate(
            cut(end.text),
            (1, 0),
            (7, at),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=end.color,
            annotation_clip=False,
        )


def spread(wanted: Sequence[float], gap: float, end: float) -> list[float]:
    """Ascending positions at least `gap` apart, near those that are wanted (ascending), up to `end` where they fit."""
    placed: list[float] = []
    for at in wanted:
        placed.append(max(at, placed[-1] + gap) if placed else at)
    for number in reversed(range(len(placed))):
        limit = end if number == len(placed) - 1 else placed[number + 1] - gap
        placed[number] = min(placed[number], limit)
    return placed


def strip(ax: Axes, at: float, values: Values, color: str) -> None:
    """One row of dots, spread a little, with their quartiles and median below."""
    order = np.arange(1, len(values) + 1)
    aside = ((order * 0.618034) % 1 - 0.5) * 0.34
    ax.plot(values, at - 0.12 + aside, "o", color=color, markersize=2.6, alpha=0.55, markeredgewidth=0)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    ax.plot((low, high), (at + 0.28,) * 2, color=color, linewidth=3)
    ax.plot(middle, at + 0.28, "o", color=PAPER, markersize=3.4, markeredgecolor=color, markeredgewidth=1.2)


def name_rows(ax: Axes, names: Sequence[str], colors: Mapping[str, str] | None = None) -> None:
    """Names left of rows 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), [cut(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines.left.set_visible(False)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set_color((colors or {}).get(name, INK))


def title_axes(ax: Axes, x: str, y: str = "") -> None:
    """What the axes show: x below, y above the plot's left corner, upright."""
    ax.set_xlabel(x, labelpad=4)
    if y:
        ax.annotate(y, (0, 1), (-3, 6), xycoords="axes fraction", textcoords="offset points", ha="left", color=FAINT)


def ticks(ax: Axes, *, rounds: bool = True) -> None:
    """Few ticks at plain numbers; of rounds at whole ones."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(6, integer=rounds))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    ax.yaxis.set_major_locator(MaxNLocator(5))
