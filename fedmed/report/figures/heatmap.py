"""Parts of a figure whose rows are clients: a heat map, bars, a legend, headings; sizes in inches, text in points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.image import AxesImage

Values = NDArray[np.float64]

INK, FAINT, RULE, EMPTY = "#222222", "#6b6b6b", "#d9d9d9", "#f2f2f2"

DARK = "#1f1f20"
"""Of what stands on a pale colour, whatever the page around it looks like."""

SMOOTHED = 300
"""From this many rows on, neighbouring rows may share a pixel and are blended."""


def heat(rows: Axes, values: Values, colors: str, scale: Normalize) -> AxesImage:
    """Cells (clients, classes) coloured by value, pale where NaN; many rows are blended downwards, never sideways."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    clients, classes = values.shape
    palette = ListedColormap(colormaps[colors](np.linspace(0.1, 0.95, 256)))
    rows.set_facecolor(EMPTY)
    extent = (-0.5, classes - 0.5, clients - 0.5, -0.5)
    image = rows.imshow(
        np.repeat(values, 64, axis=1),
        cmap=palette,
        norm=scale,
        aspect="auto",
        extent=extent,
        interpolation=None if clients > SMOOTHED else "nearest",
    )
    rows.vlines(np.arange(classes - 1) + 0.5, -0.5, clients - 0.5, color="white", linewidth=1.5)
    rows.set_yticks([])
    return image


def write_cells(rows: Axes, values: Values, scale: Normalize, text: Callable[[float], str]) -> None:
    """A number into every cell that has a value, and lines between the rows."""
    rows.hlines(np.arange(len(values) - 1) + 0.5, *rows.get_xlim(), color="white", linewidth=1.5)
    for (client, label), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if scale(value) > 0.55 else DARK
            rows.text(label, client, text(value), ha="center", va="center", fontsize=7.5, color=color)


def color_scale(foot: Axes, image: AxesImage, scale: Normalize, text: Callable[[float], str], caption: str) -> None:
    """A horizontal scale with three ticks, evenly spaced, and its caption on the right."""
    bar = foot.figure.colorbar(image, cax=foot, orientation="horizontal")
    bar.outline.set_visible(False)
    ticks = [float(scale.inverse(share)) for share in (0, 0.5, 1)]
    bar.set_ticks(ticks, labels=[text(tick) for tick in ticks], fontsize=7)
    bar.ax.tick_params(length=2)
    foot.annotate(caption, (1.05, 0.5), xycoords="axes fraction", va="center", fontsize=7, color=FAINT)


def bars(ax: Axes, start: Values, end: Values, color: str, *, joined: bool) -> None:
    """One bar per row from start to end (clients,); joined: without gaps, as one shape."""
    clients = len(start)
    if joined:
        edges = np.arange(clients + 1) - 0.5
        ax.stairs(end, edges, baseline=start, orientation="horizontal", fill=True, color=color)
    else:
        ax.barh(range(clients), end - start, left=start, height=0.7, color=color)
    ax.set_ylim(clients - 0.5, -0.5)


def bar_axis(ax: Axes, end: float, ticks: Sequence[float], text: Callable[[float], str]) -> None:
    """The axis below bars that reach from 0 to `end`."""
    ax.set(xlim=(0, end), yticks=[])
    ax.set_xticks(ticks, [text(tick) for tick in ticks])
    ax.grid(axis="x", color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)


def round_ticks(end: float) -> list[float]:
    """About four round whole numbers from 0 to `end`."""
    from matplotlib.ticker import MaxNLocator

    return [float(tick) for tick in MaxNLocator(3, integer=True).tick_values(0, end) if tick <= end]


def totals(above: Axes, values: NDArray[np.int64], like: Axes, text: Callable[[float], str] | None) -> None:
    """Upright bars over the columns of the heat map `like`, with their values where there is room for text."""
    above.bar(range(len(values)), values, width=0.72, color="#7fb1d3")
    above.set(xlim=like.get_xlim(), ylim=(0, 1.5 * max(values.max(), 1)), xticks=[], yticks=[])
    if text is None:
        return
    for at, value in enumerate(values):
        above.annotate(
            text(value), (at, value), (0, 1), textcoords="offset points", ha="center", fontsize=7, color=FAINT
        )


def heading(above: Axes, text: str) -> None:
    """What a column shows, over the panel above its rows."""
    above.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", va="bottom", color=FAINT)


def legend(above: Axes, colors: Mapping[str, str], width: float) -> None:
    """Coloured squares with names in a panel of that width."""
    at = 0.0
    for name, color in colors.items():
        above.text(at / width, 0.3, "■", color=color, fontsize=9, va="center", transform=above.transAxes)
        above.text((at + 0.14) / width, 0.3, name, color=FAINT, va="center", transform=above.transAxes)
        at += inches(name) + 0.32


def name_columns(rows: Axes, names: Sequence[str], *, turned: bool) -> None:
    """The classes below their columns, turned where they are too long to stand side by side."""
    ticks = rows.set_xticks(range(len(names)), names, color=INK)
    for tick in ticks if turned else ():
        tick.label1.set(rotation=40, ha="right", rotation_mode="anchor")


@cache
def inches(text: str, points: float = 8.0) -> float:
    """Width of the text as drawn."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=points).get_extents().width) / 72 if text.strip() else 0.0
