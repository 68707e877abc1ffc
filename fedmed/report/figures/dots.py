"""Values per class or per site: a dot per arm, the mean over seeds, on a line from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fedmed.formatting import defined_share, value
from fedmed.report.figures import tooltips
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.labels import draw_legend, label_rows, legend_height, names_width, title_axes
from fedmed.report.figures.style import RULE, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks
from fedmed.report.series import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ArmValues = Mapping[str, Values]
"""Arm -> values of its seeds, row by row (seeds, rows); nan where undefined."""


def dot_plot(
    context: FigureContext, world: str, rows: Sequence[str], found: ArmValues, *, name: str, title: str, x: str
) -> RenderedFigure:
    """The figure of a metric, a row per class or site; at least one value has to be defined."""
    arms, row = [*found], max(0.26, 0.085 * len(found) + 0.1)
    several = len(arms) > 1
    foot = legend_height(arms) if several else 0.0
    figure, ax = new_figure(height=0.66 + row * len(rows) + foot)
    place_axes(figure, ax, left=names_width(rows), right=0.2, top=0.06, bottom=0.42 + foot)
    for number, arm in enumerate(arms):
        aside = (number - (len(arms) - 1) / 2) * 0.085 / row
        _arm(ax, found[arm], aside, context.arm_styles[arm].color)
    label_rows(ax, rows)
    ax.hlines(np.arange(len(rows) - 1) + 0.5, *_limits(ax, found), color=RULE, linewidth=0.4)
    ax.grid(axis="x")
    set_x_ticks(ax)
    title_axes(ax, x)
    if several:
        draw_legend(ax, {arm: context.arm_styles[arm].color for arm in arms}, below=0.42)
    row_texts = [_row_text(label, at, found) for at, label in enumerate(rows)]
    several_seeds = any(len(values) > 1 for values in found.values())
    note = "Mean over seeds; lines from the lowest seed to the highest." if several_seeds else ""
    alt = f"{title}. {'; '.join(text.replace(chr(10), ', ') for text in row_texts)}."
    return context.write(
        figure, name, world, title=title, note=note, alt=alt, tooltips=tooltips.row_tooltips(ax, row_texts)
    )


def means(values: Values) -> Values:
    """Means over seeds (seeds, rows) of what is defined; nan where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(0)
    found: Values = np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))
    return found


def ends(values: Values) -> tuple[Values, Values]:
    """The lowest and the highest of seeds (seeds, rows); infinite where nothing is defined."""
    return np.where(np.isnan(values), np.inf, values).min(0), np.where(np.isnan(values), -np.inf, values).max(0)


def _arm(ax: Axes, values: Values, aside: float, color: str) -> None:
    at, middle = np.arange(values.shape[1]) + aside, means(values)
    low, high = ends(values)
    known = np.isfinite(middle)
    ax.hlines(at[known], low[known], high[known], color=color, linewidth=1.4)
    ax.plot(middle[known], at[known], "o", color=color, markersize=4, markeredgewidth=0)


def _limits(ax: Axes, found: ArmValues) -> tuple[float, float]:
    """Sets the limits so that all values are inside, and gives them."""
    every = np.concatenate([values[np.isfinite(values)] for values in found.values()])
    low, high = float(every.min()), float(every.max())
    aside = 0.04 * (high - low) or 0.02
    ax.set_xlim(low - aside, high + aside)
    return low - aside, high + aside


def _row_text(label: str, at: int, found: ArmValues) -> str:
    rows = [f"{arm} {_value(values[:, at])}" for arm, values in found.items()]
    return "\n".join([label, *rows])


def _value(values: Values) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "not defined"
    low, high = known.min(), known.max()
    ends = f" [{value(float(low))}, {value(float(high))}]" if high > low else ""
    return f"{value(float(known.mean()))}{ends}{defined_share(len(known), len(values))}"
