"""What a figure says where it is pointed at: areas over it, each with a text that a browser shows on hover or touch."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fedmed.report.series import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DENSE = 60
"""Strips at most over one plot; of more rounds, some are left out."""


class Tooltip(NamedTuple):
    """An area in points from the figure's upper left corner, and what it says."""

    x: float
    y: float
    width: float
    height: float
    text: str


def svg_group(tips: Sequence[Tooltip]) -> str:
    """The areas as one SVG group of transparent rectangles with titles; empty without areas."""
    parts = (
        f'<rect x="{t.x:.1f}" y="{t.y:.1f}" width="{t.width:.1f}" height="{t.height:.1f}">'
        f"<title>{escape(t.text)}</title></rect>"
        for t in tips
    )
    return f'<g class="tips" fill="none" pointer-events="all">{"".join(parts)}</g>' if tips else ""


def area_tooltip(ax: Axes, low: tuple[float, float], high: tuple[float, float], text: str) -> Tooltip:
    """The area between two corners, which are in the plot's own units."""
    corners = ax.transData.transform((low, high)) * 72 / ax.figure.dpi
    left, right = sorted(corners[:, 0])
    bottom, top = sorted(corners[:, 1])
    return Tooltip(left, ax.figure.bbox.height * 72 / ax.figure.dpi - top, right - left, top - bottom, text)


def column_tooltips(ax: Axes, x: Values, texts: Sequence[str]) -> list[Tooltip]:
    """An upright strip around every x, ascending, each as far as the middle between it and its neighbours."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(DENSE, len(x))).round().astype(int))
    (left, right), y = sorted(ax.get_xlim()), ax.get_ylim()
    at = x[kept]
    middles = np.sqrt(at[1:] * at[:-1]) if ax.get_xscale() == "log" else (at[1:] + at[:-1]) / 2
    edges = np.concatenate([[left], middles.clip(left, right), [right]])
    return [area_tooltip(ax, (edges[n], y[0]), (edges[n + 1], y[1]), texts[int(k)]) for n, k in enumerate(kept)]


def row_tooltips(ax: Axes, texts: Sequence[str]) -> list[Tooltip]:
    """A level strip around every row 0, 1, ... of the plot."""
    x = ax.get_xlim()
    return [area_tooltip(ax, (x[0], at - 0.5), (x[1], at + 0.5), text) for at, text in enumerate(texts)]
