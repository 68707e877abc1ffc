"""The headline metric over rounds, and over the bytes that have crossed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fedmed.formatting import value
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_band
from fedmed.report.figures.labels import LineLabel, height_for_labels, label_line_ends, names_width, title_axes
from fedmed.report.figures.overlap import redraw_overlaps
from fedmed.report.figures.style import HEIGHT, REFERENCES, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_log_x_ticks, set_x_ticks
from fedmed.report.figures.tooltips import Tooltip, column_tooltips
from fedmed.report.series import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_curves(context: FigureContext, world: str) -> RenderedFigure | None:
    """The headline over rounds; None where it was not evaluated over rounds."""
    runs = {arm: series.arm_runs(context.comparison, world, arm) for arm in context.comparison.arms}
    lines = {arm: line for arm, of in runs.items() if (line := series.by_round(of, context.summary.headline))}
    if not lines:
        return None
    several = any((line.high > line.low).any() for line in lines.values())
    note = "Mean over seeds; the band reaches from the lowest seed to the highest." if several else ""
    return _drawn(context, world, lines, "curves", "Learning curve", "round", note)


def communication_cost(context: FigureContext, world: str) -> RenderedFigure | None:
    """The headline over bytes, of several arms; without the references, for whom bytes mean nothing."""
    runs = {a: series.arm_runs(context.comparison, world, a) for a in context.comparison.arms if a not in REFERENCES}
    lines = {arm: line for arm, of in runs.items() if (line := series.by_bytes(of, context.summary.headline))}
    if len(lines) < 2 or not all(line.x[0] > 0 for line in lines.values()):
        return None
    note = "Bytes up and down, of all clients together."
    return _drawn(context, world, lines, "cost", "Quality against communication", "megabytes sent so far", note)


def _drawn(
    context: FigureContext, world: str, lines: Mapping[str, Band], name: str, title: str, x: str, note: str
) -> RenderedFigure:
    figure, ax = new_figure(height=height_for_labels(len(lines)) if context.several else HEIGHT)
    place_axes(figure, ax, left=0.42, right=names_width(list(lines)) if context.several else 0.15, top=0.36)
    for arm, line in lines.items():
        draw_band(ax, line, context.arm_styles[arm])
    _scale(ax, lines, logarithmic=name == "cost")
    ax.grid(axis="y")
    ends = [LineLabel(arm, float(line.mean[-1]), context.arm_styles[arm].color) for arm, line in lines.items()]
    if context.several:
        label_line_ends(ax, ends)
    title_axes(ax, x, context.metric)
    together = redraw_overlaps(ax, lines, {arm: context.arm_styles[arm].color for arm in lines})
    last_values = ", ".join(f"{end.text} {end.y:.3f}" for end in ends)
    alt = f"{title}: {context.metric} by {x}. At the end: {last_values}. {together}".strip()
    note = f"{note} {together}".strip()
    return context.write(figure, name, world, title=title, note=note, alt=alt, tooltips=_tips(ax, lines, x))


def _scale(ax: Axes, lines: Mapping[str, Band], *, logarithmic: bool) -> None:
    """Few numbers; bytes by orders of magnitude where they are several."""
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(5))
    if logarithmic and max(line.x[-1] for line in lines.values()) > 20 * min(line.x[0] for line in lines.values()):
        ax.set_xscale("log")
        set_log_x_ticks(ax)
    else:
        set_x_ticks(ax, integer=not logarithmic)


def _tips(ax: Axes, lines: Mapping[str, Band], x: str) -> list[Tooltip]:
    """What every arm has reached, at the places where the first one was evaluated that is longest."""
    grid = max((line.x for line in lines.values()), key=len)
    return column_tooltips(ax, grid, [_column_text(lines, at, x) for at in grid.tolist()])


def _column_text(lines: Mapping[str, Band], at: float, x: str) -> str:
    """Where, and each arm's value there, the best on top; of an arm that was not evaluated there, what lies between."""
    found = {
        arm: [float(np.interp(at, line.x, of)) for of in (line.mean, line.low, line.high)]
        for arm, line in lines.items()
        if line.x[0] <= at <= line.x[-1]
    }
    rows = [
        f"{arm} {value(mean)}{f' [{value(low)}, {value(high)}]' if high > low else ''}"
        for arm, (mean, low, high) in sorted(found.items(), key=lambda each: -each[1][0])
    ]
    place = f"round {at:.0f}" if x == "round" else f"{at:.3g} {x.removesuffix(' so far')}"
    return "\n".join([place, *rows])
