"""Efficiency against fairness: a curve over a setting that trades them, and single points beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fedmed.report.figures.labels import title_axes
from fedmed.report.figures.style import ARMS, FAINT, FOREGROUND, figure_style, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure, render_figure
from fedmed.report.figures.ticks import set_x_ticks


class TradeoffPoint(NamedTuple):
    """A point of the figure, and its label."""

    label: str
    efficiency: float
    fairness: float


def tradeoff_figure(
    curve: Sequence[TradeoffPoint], others: Sequence[TradeoffPoint], folder: Path, *, name: str, title: str, y: str
) -> RenderedFigure:
    """Draws the points and the curve through its own; writes `name`.svg and .png into the folder. y: the left axis."""
    with figure_style():
        figure, ax = new_figure(5.6, 3.4)
        place_axes(figure, ax, left=0.62, right=0.25, bottom=0.5, top=0.3)
        ax.plot([p.fairness for p in curve], [p.efficiency for p in curve], "o-", color=ARMS[0], markersize=4)
        ax.plot([p.fairness for p in others], [p.efficiency for p in others], "s", color=ARMS[1], markersize=4.5)
        for at, points in enumerate((curve, others)):
            for point in points:
                ax.annotate(
                    point.label,
                    (point.fairness, point.efficiency),
                    (5, 5 if at == 0 else -9),
                    textcoords="offset points",
                    fontsize=7.5,
                    color=FOREGROUND if at == 0 else FAINT,
                )
        ax.margins(0.14, 0.14)
        ax.set_xlim(*ax.get_xlim())
        ax.grid(visible=True)
        set_x_ticks(ax)
        title_axes(ax, "Jain's index of analysts' utilities", y)
        said = "; ".join(f"{p.label} {p.efficiency:.3f} at {p.fairness:.3f}" for p in (*curve, *others))
        return render_figure(figure, folder, name=name, title=title, note="", alt=f"{title}: {said}.")
