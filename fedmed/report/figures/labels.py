"""Texts of figures: names of rows, columns and lines, legends, titles of axes; cut where there is no room for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from fedmed.report.figures.style import BACKGROUND, FAINT, FOREGROUND, HEIGHT, WIDTH, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Units = Literal["data", "axes fraction"]
"""Of the plot's numbers, or of its width and height."""


GAP = 10.0
"""Points between the names at the ends of lines."""


LONGEST = 22
"""Characters of a name in a figure."""


class LineLabel(NamedTuple):
    """The name of a line, to stand right of the plot near y, where the line ends."""

    text: str
    y: float
    color: str


def truncate(name: str, longest: int = LONGEST) -> str:
    """The name, cut where it is too long for a figure."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def shorten(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The names as a figure has room for them; those that would look alike are cut at their start instead of their end,
    or numbered.
    """
    heads = [truncate(name, longest) for name in names]
    tails = [name if len(name) <= longest else f"…{name[1 - longest :]}" for name in names]
    found = [tail if heads.count(head) > 1 else head for head, tail in zip(heads, tails, strict=True)]
    return [f"{name} ({number})" if found.count(name) > 1 else name for number, name in enumerate(found, 1)]


def names_width(names: Sequence[str]) -> float:
    """Inches that names beside a plot take."""
    return max((text_width(name, 8.5) for name in shorten(names)), default=0.0) + 0.14


def label_line_ends(ax: Axes, ends: Sequence[LineLabel]) -> None:
    """Names right of the plot, each as near to the end of its line as the others leave room; limits are set before."""
    low, high = ax.get_ylim()
    tall = ax.get_window_extent().height / ax.figure.dpi * 72
    order = sorted(ends, key=lambda end: end.y)
    wanted = [(end.y - low) / (high - low) * tall for end in order]
    names = shorten([end.text for end in order])
    for end, name, at in zip(order, names, spread_apart(wanted, GAP, tall), strict=True):
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


def spread_apart(wanted: Sequence[float], gap: float, end: float) -> list[float]:
    """Ascending positions at least `gap` apart, near those that are wanted (ascending), up to `end` where they fit."""
    placed: list[float] = []
    for at in wanted:
        placed.append(max(at, placed[-1] + gap) if placed else at)
    for number in reversed(range(len(placed))):
        limit = end if number == len(placed) - 1 else placed[number + 1] - gap
        placed[number] = min(placed[number], limit)
    return placed


def label_rows(ax: Axes, names: Sequence[str], colors: Mapping[str, str] | None = None) -> None:
    """Names left of rows 0, 1, ... from the top."""
    ax.set_yticks(range(len(names)), shorten(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines.left.set_visible(False)
    for tick, name in zip(ax.get_yticklabels(), names, strict=True):
        tick.set_color((colors or {}).get(name, FOREGROUND))


def label_over_rows(ax: Axes, names: Sequence[str], values: Sequence[str]) -> None:
    """Names over rows 0, 1, ... from the top, as long as their values on the right leave room."""
    wide = ax.get_window_extent().width / ax.figure.dpi
    left = wide - max(text_width(text, 7.5) for text in values) - 0.15
    fitting = next((n for n in range(60, 8, -1) if max(text_width(name, 8.5) for name in shorten(names, n)) <= left), 8)
    ax.set_yticks([])
    ax.set_ylim(len(names) - 0.4, -0.75)
    ax.spines.left.set_visible(False)
    for at, (name, text) in enumerate(zip(shorten(names, fitting), values, strict=True)):
        label(ax, name, (0, at), (1, 7), units=("axes fraction", "data"), color=FOREGROUND, ground=True)
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
        bbox={"facecolor": BACKGROUND, "edgecolor": "none", "pad": 0.8} if ground else None,
    )


def legend_height(names: Sequence[str]) -> float:
    """Inches that a legend of these names takes below a plot."""
    return 0.17 * (1 + max(row for row, _ in _flow(names))) + 0.1


def draw_legend(ax: Axes, colors: Mapping[str, str], *, below: float) -> None:
    """Names in their colours, in rows that many inches below the plot."""
    left = ax.get_position().x0 * ax.figure.bbox.width / ax.figure.dpi - 0.1
    below_plot: tuple[Units, Units] = ("axes fraction", "axes fraction")
    for (row, at), name, color in zip(_flow([*colors]), shorten([*colors]), colors.values(), strict=True):
        offset = (72 * (at - left), -72 * (below + 0.1 + 0.17 * row))
        label(ax, f"● {name}", (0, 0), offset, units=below_plot, size=8, color=color)


def _flow(names: Sequence[str], width: float = WIDTH - 0.2) -> list[tuple[int, float]]:
    """Row and inches from the left of names that follow each other like words."""
    places, row, at = [], 0, 0.0
    for name in shorten(names):
        wide = text_width(f"● {name}", 8) + 0.16
        row, at = (row + 1, 0.0) if at and at + wide > width else (row, at)
        places.append((row, at))
        at += wide
    return places


def title_axes(ax: Axes, x: str, y: str = "") -> None:
    """What the axes show: x below, y above the plot's left corner, upright."""
    ax.set_xlabel(x, labelpad=4)
    if y:
        ax.annotate(y, (0, 1), (-3, 6), xycoords="axes fraction", textcoords="offset points", ha="left", color=FAINT)


def height_for_labels(count: int) -> float:
    """Inches of a figure beside whose plot that many names have to stand apart."""
    return max(HEIGHT, 0.8 + count * GAP / 72)


def panel_title(above: Axes, text: str) -> None:
    """What a column shows, over the panel above its rows."""
    above.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", va="bottom", color=FAINT)


def panel_legend(above: Axes, colors: Mapping[str, str], width: float) -> None:
    """Coloured squares with names in a panel of that width."""
    at = 0.0
    for name, color in colors.items():
        above.text(at / width, 0.3, "■", color=color, fontsize=9, va="center", transform=above.transAxes)
        above.text((at + 0.14) / width, 0.3, name, color=FAINT, va="center", transform=above.transAxes)
        at += text_width(name) + 0.32


def label_columns(rows: Axes, names: Sequence[str], *, turned: bool) -> None:
    """The classes below their columns, turned where they are too long to stand side by side."""
    ticks = rows.set_xticks(range(len(names)), names, color=FOREGROUND)
    for tick in ticks if turned else ():
        tick.label1.set(rotation=40, ha="right", rotation_mode="anchor")
