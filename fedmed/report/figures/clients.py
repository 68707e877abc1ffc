"""The headline metric client by client."""

from __future__ import annotations

import numpy as np

from fedmed.formatting import metric_name
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_strip
from fedmed.report.figures.labels import label_rows, names_width, title_axes
from fedmed.report.figures.style import new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks
from fedmed.report.figures.tooltips import row_tooltips
from fedmed.report.series import Values


def client_strips(context: FigureContext, world: str) -> RenderedFigure | None:
    """A dot per client and seed, arm by arm; None where clients were not evaluated."""
    metric = series.client_metric(context.comparison)
    found = {arm: _values(context, world, arm, metric) for arm in context.comparison.arms} if metric else {}
    found = {arm: values for arm, values in found.items() if len(values) > 1}
    if metric is None or not found:
        return None
    figure, ax = new_figure(height=0.66 + 0.38 * len(found))
    place_axes(figure, ax, left=names_width(list(found)) if context.several else 0.15, right=0.2, top=0.06)
    for at, (arm, values) in enumerate(found.items()):
        draw_strip(ax, at, values, context.arm_styles[arm].color)
    label_rows(ax, list(found) if context.several else [""])
    ax.grid(axis="x")
    set_x_ticks(ax)
    title_axes(ax, metric_name(metric))
    row_texts = [f"{arm} median {np.median(v):.3f}, from {v.min():.3f} to {v.max():.3f}" for arm, v in found.items()]
    dot = "one client in one seed" if len(context.comparison.seeds) > 1 else "one client"
    note = f"A dot is {dot}; below the dots, quartiles and median."
    alt = f"{metric_name(metric)}, client by client: {'; '.join(row_texts)}."
    return context.write(
        figure, "clients", world, title="Client by client", note=note, alt=alt, tooltips=row_tooltips(ax, row_texts)
    )


def _values(context: FigureContext, world: str, arm: str, metric: str) -> Values:
    runs = series.arm_runs(context.comparison, world, arm)
    return np.array([value for run in runs for value in series.at_clients(run, metric).values()], float)
