"""What figures are drawn of: lines with bands, strips of dots, and where rows are clients, heat maps and bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from fedmed.report.figures.style import BACKGROUND, DARK, EMPTY, FAINT, ArmStyle
from fedmed.report.series import Band, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.image import AxesImage


def draw_band(ax: Axes, line: Band, style: ArmStyle, *, dots: Literal["all", "last", "none"] = "last") -> None:
    """A line, and behind it its band, where there is one. dots: which points are marked."""
    if (line.high > line.low).any():
        ax.fill_between(line.x, line.low, line.high, color=style.color, alpha=0.13, linewidth=0)
    ax.plot(line.x, line.mean, color=style.color, linestyle=style.dash)
    start = {"all": 0, "last": -1, "none": len(line.x)}[dots]
    if len(line.x[start:]):
        ax.plot(line.x[start:], line.mean[start:], "o", color=style.color, markersize=3.2)


def draw_strip(ax: Axes, at: float, values: Values, color: str, *, most: int | None = None) -> None:
    """One row of dots, spread a little, with their quartiles and median below. most: how many of ascending ones."""
    shown = values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most or len(values))).astype(int))]
    aside = ((np.arange(1, len(shown) + 1) * 0.618034) % 1 - 0.5) * 0.34
    ax.plot(shown, at - 0.12 + aside, "o", color=color, markersize=2.6, alpha=0.55, markeredgewidth=0)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    ax.plot((low, high), (at + 0.28,) * 2, color=color, linewidth=3)
    ax.plot(middle, at + 0.28, "o", color=BACKGROUND, markersize=3.4, markeredgecolor=color, markeredgewidth=1.2)


SMOOTHED = 300
"""From this many rows on, neighbouring rows may share a pixel and are blended."""


def draw_heatmap(rows: Axes, values: Values, colors: str, scale: Normalize) -> AxesImage:
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


def write_cell_values(rows: Axes, values: Values, scale: Normalize, text: Callable[[float], str]) -> None:
    """A number into every cell that has a value, and lines between the rows."""
    rows.hlines(np.arange(len(values) - 1) + 0.5, *rows.get_xlim(), color="white", linewidth=1.5)
    for (client, label), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if scale(value) > 0.55 else DARK
            rows.text(label, client, text(value), ha="center", va="center", fontsize=7.5, color=color)


def draw_color_scale(
    foot: Axes, image: AxesImage, scale: Normalize, text: Callable[[float], str], caption: str
) -> None:
    """A horizontal scale with three ticks, evenly spaced, and its caption on the right."""
    bar = foot.figure.colorbar(image, cax=foot, orientation="horizontal")
    bar.outline.set_visible(False)
    ticks = [float(scale.inverse(share)) for share in (0, 0.5, 1)]
    bar.set_ticks(ticks, labels=[text(tick) for tick in ticks], fontsize=7)
    bar.ax.tick_params(length=2)
    foot.annotate(caption, (1.05, 0.5), xycoords="axes fraction", va="center", fontsize=7, color=FAINT)


def draw_bars(ax: Axes, start: Values, end: Values, color: str, *, joined: bool) -> None:
    """One bar per row from start to end (clients,); joined: without gaps, as one shape."""
    clients = len(start)
    if joined:
        edges = np.arange(clients + 1) - 0.5
        ax.stairs(end, edges, baseline=start, orientation="horizontal", fill=True, color=color)
    else:
        ax.barh(range(clients), end - start, left=start, height=0.7, color=color)
    ax.set_ylim(clients - 0.5, -0.5)


def draw_totals(above: Axes, values: NDArray[np.int64], like: Axes, text: Callable[[float], str] | None) -> None:
    """Upright bars over the columns of the heat map `like`, with their values where there is room for text."""
    above.bar(range(len(values)), values, width=0.72, color="#7fb1d3")
    above.set(xlim=like.get_xlim(), ylim=(0, 1.5 * max(values.max(), 1)), xticks=[], yticks=[])
    if text is None:
        return
    for at, value in enumerate(values):
        above.annotate(
            text(value), (at, value), (0, 1), textcoords="offset points", ha="center", fontsize=7, color=FAINT
        )
