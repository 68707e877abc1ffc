"""Marks that several figures share: lines with bands, names at the ends of lines, strips of dots, names of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from fedmed.report.figures.heatmap import inches
from fedmed.report.figures.style import FAINT, HEIGHT, INK, PAPER, WIDTH, ArmStyle
from fedmed.report.series import Band, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Units = Literal["data", "axes fraction"]
"""Of the plot's numbers, or of its width and height."""

GAP = 10.0
"""Points between the names at the ends of lines."""

LONGEST = 22
"""Characters of a name in a figure."""


class LineLabel(NamedTuple):
    """A name beside the end of its line."""

    text: str
    y: float
    color: str


def cut(name: str, longest: int = LONGEST) -> str:
    """The name, cut where it is too long for a figure."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def short(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The names as a figure has room for them; those that would look alike are cut at their start instead of their end,
    or numbered.
    """
    heads = [cut(name, longest) for name in names]
    tails = [name if len(name) <= longest else f"…{name[1 - longest :]}" for name in names]
    found = [tail if heads.count(head) > 1 else head for head, tail in zip(heads, tails, strict=True)]
    return [f"{name} ({number})" if found.count(name) > 1 else name for number, name in enumerate(found, 1)]


def room(names: Sequence[str]) -> float:
    """Inches that names beside a plot take."""
    return max((inches(name, 8.5) for name in short(names)), default=0.0) + 0.14


def band(ax: Axes, line: Band, look: ArmStyle, *, dots: Literal["all", "last", "none"] = "last") -> None:
    """A line, and behind it its band, where there is one. dots: which points are marked."""
    if (line.high > line.low).any():
        ax.fill_between(line.x, line.low, line.high, color=look.color, alpha=0.13, linewidth=0)
    ax.plot(line.x, line.mean, color=look.color, linestyle=look.dash)
    start = {"all": 0, "last": -1, "none": len(line.x)}[dots]
    if len(line.x[start:]):
        ax.plot(line.x[start:], line.mean[start:], "o", color=look.color, markersize=3.2)


def names_at_ends(ax: Axes, ends: Sequence[LineLabel]) -> None:
    """Names right of the plot, each as near to the end of its line as the others leave room; limits are set before."""
    low, high = ax.get_ylim()
    tall = ax.get_window_extent().height / ax.figure.dpi * 72
    order = sorted(ends, key=lambda end: end.y)
    wanted = [(end.y - low) / (high - low) * tall for end in order]
    names = short([end.text for end in order])
    for end, name, at in zip(order, names, spread(wanted, GAP, tall), strict=True):
        ax.annotate(
            name,
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


def strip(ax: Axes, at: float, values: Values, color: str, *, most: int | None = None) -> None:
    """One row of dots, spread a little, with their quartiles and median below. most: how many of ascending ones."""
    shown = values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most or len(values))).astype(int))]
    aside = ((np.arange(1, len(shown) + 1) * 0.618034) % 1 - 0.5) * 0.34
    ax.plot(shown, at - 0.12 + aside, "o", color=color, markersize=2.6, alpha=0.55, markeredgewidth=0)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    ax.plot((low, high), (at + 0.28,) * 2, color=color, linewidth=3)
    ax.plot(middle, at + 0.28, "o", color=PAPER, markersize=3.4, markeredgecolor=color, markeredgewidth=1.2)


def name_rows(ax: Axes, names: Sequence[str], colors: Mapping[str, str] | None = None) -> None:
    """Names left of rows 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), short(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines.left.set_visible(False)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set_color((colors or {}).get(name, INK))


def name_over_rows(ax: Axes, names: Sequence[str], values: Sequence[str]) -> None:
    """Names over rows 0, 1, ... from the top, as long as their values on the right leave room."""
    wide = ax.get_window_extent().width / ax.figure.dpi
    left = wide - max(inches(text, 7.5) for text in values) - 0.15
    fitting = next((n for n in range(60, 8, -1) if max(inches(name, 8.5) for name in short(names, n)) <= left), 8)
    ax.set_yticks([])
    ax.set_ylim(len(names) - 0.4, -0.75)
    ax.spines.left.set_visible(False)
    for at, (name, text) in enumerate(zip(short(names, fitting), values, strict=True)):
        label(ax, name, (0, at), (1, 7), units=("axes fraction", "data"), color=INK, ground=True)
        label(ax, text, (1, at), (-1, 7), units=("axes fraction", "data"), across="right", size=7.5, ground=True)


def label(
    ax: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float],
    *,
    units: tuple[Units, Units] = ("data", "data"),
    across: Literal["left", "center", "right"] = "left",
    down: Literal["baseline", "bottom", "center", "top"] = "baseline",
    size: float = 8.5,
    color: str = FAINT,
    ground: bool = False,
) -> None:
    """Text that many points from a place, inside of the plot or not.

    across, down: which of its ends is there. ground: whether it covers the grid behind it.
    """
    ax.annotate(
        text,
        place,
        offset,
        xycoords=units,
        textcoords="offset points",
        ha=across,
        va=down,
        fontsize=size,
        color=color,
        annotation_clip=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8} if ground else None,
    )


def keys_height(names: Sequence[str]) -> float:
    """Inches that `keys` take."""
    return 0.17 * (1 + max(row for row, _ in _flow(names))) + 0.1


def keys(ax: Axes, colors: Mapping[str, str], *, below: float) -> None:
    """Names in their colours, in rows that many inches below the plot."""
    left = ax.get_position().x0 * ax.figure.bbox.width / ax.figure.dpi - 0.1
    below_plot: tuple[Units, Units] = ("axes fraction", "axes fraction")
    for (row, at), name, color in zip(_flow([*colors]), short([*colors]), colors.values(), strict=True):
        offset = (72 * (at - left), -72 * (below + 0.1 + 0.17 * row))
        label(ax, f"● {name}", (0, 0), offset, units=below_plot, size=8, color=color)


def _flow(names: Sequence[str], width: float = WIDTH - 0.2) -> list[tuple[int, float]]:
    """Row and inches from the left of names that follow each other like words."""
    places, row, at = [], 0, 0.0
    for name in short(names):
        wide = inches(f"● {name}", 8) + 0.16
        row, at = (row + 1, 0.0) if at and at + wide > width else (row, at)
        places.append((row, at))
        at += wide
    return places


def title_axes(ax: Axes, x: str, y: str = "") -> None:
    """What the axes show: x below, y above the plot's left corner, upright."""
    ax.set_xlabel(x, labelpad=4)
    if y:
        ax.annotate(y, (0, 1), (-3, 6), xycoords="axes fraction", textcoords="offset points", ha="left", color=FAINT)


def tall(count: int) -> float:
    """Inches of a figure beside whose plot that many names have to stand apart."""
    return max(HEIGHT, 0.8 + count * GAP / 72)
