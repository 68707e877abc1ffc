"""Efficiency against fairness: in each plot a curve over a setting that trades them, and single points beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fedmed.report.figures.labels import draw_legend, legend_height, spread_apart, title_axes
from fedmed.report.figures.style import ARMS, FOREGROUND, figure_style, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure, render_figure
from fedmed.report.figures.ticks import set_x_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE, TALL = 3.7, 3.2
"""Inches of a plot with its labels, without the legend."""

APART = 9.0
"""Points between the labels of a curve."""


class TradeoffPoint(NamedTuple):
    """A point of a plot, and its name: in the legend, or beside the curve."""

    name: str
    efficiency: float
    fairness: float


class TradeoffPlot(NamedTuple):
    """One plot. title: above it. curve: points that are joined, in order. others: points that stand alone."""

    title: str
    curve: Sequence[TradeoffPoint]
    others: Sequence[TradeoffPoint] = ()


def tradeoff_figure(
    plots: Sequence[TradeoffPlot], folder: Path, *, name: str, title: str, curve: str, x: str
) -> RenderedFigure:
    """Draws the plots side by side; writes `name`.svg and .png into the folder.

    curve: the name of all curves in the legend. x: the lower axis.
    """
    names = [curve, *dict.fromkeys(point.name for plot in plots for point in plot.others)]
    colors = {each: ARMS[number % len(ARMS)] for number, each in enumerate(names)}
    with figure_style():
        foot = legend_height(names) + 0.1
        figure, first = new_figure(SIDE * len(plots), TALL + foot)
        for number, plot in enumerate(plots):
            ax = first if number == 0 else figure.add_axes((0.1, 0.1, 0.8, 0.8))
            right = SIDE * (len(plots) - 1 - number) + 0.2
            place_axes(figure, ax, left=SIDE * number + 0.5, right=right, bottom=0.46 + foot, top=0.36)
            _draw(ax, plot, colors, colors[curve])
            title_axes(ax, x, plot.title)
        draw_legend(first, colors, below=0.46)
        values = "; ".join(
            f"{plot.title}: " + ", ".join(f"{p.name} {p.efficiency:.3f} at {p.fairness:.3f}" for p in _all(plot))
            for plot in plots
        )
        return render_figure(figure, folder, name=name, title=title, note="", alt=f"{title}. {values}.", wide=True)


def _all(plot: TradeoffPlot) -> list[TradeoffPoint]:
    return [*plot.curve, *plot.others]


def _draw(ax: Axes, plot: TradeoffPlot, colors: Mapping[str, str], color: str) -> None:
    ax.plot([p.fairness for p in plot.curve], [p.efficiency for p in plot.curve], "o-", color=color, markersize=4)
    for point in plot.others:
        ax.plot(point.fairness, point.efficiency, "s", color=colors[point.name], markersize=5)
    ax.margins(0.12, 0.14)
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    ax.grid(visible=True)
    set_x_ticks(ax, 5)
    _label_curve(ax, plot.curve)


def _label_curve(ax: Axes, curve: Sequence[TradeoffPoint]) -> None:
    """The names of a curve's points right of them, moved up or down where they would lie on one another."""
    low, high = ax.get_ylim()
    tall = ax.get_window_extent().height / ax.figure.dpi * 72
    order = sorted(curve, key=lambda point: point.efficiency)
    wanted = [(point.efficiency - low) / (high - low) * tall for point in order]
    for point, at, place in zip(order, wanted, spread_apart(wanted, APART, tall), strict=True):
        ax.annotate(
            point.name,
            (point.fairness, point.efficiency),
            (5, place - at),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=FOREGROUND,
        )
