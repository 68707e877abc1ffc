"""Dice image by image: a strip per arm, or per class of one arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fedmed.report.evaluations import WorldEvaluations
from fedmed.report.figures import tooltips
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_strip
from fedmed.report.figures.labels import label_rows, names_width, title_axes
from fedmed.report.figures.style import new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks
from fedmed.report.images.captions import class_name
from fedmed.report.series import Values

DOTS = 60
"""Images that one row shows as dots, at most."""


def dice_by_image(context: FigureContext, world: str, found: WorldEvaluations) -> RenderedFigure | None:
    """The mean over the classes in view, arm by arm; None where no run kept it."""
    rows = {arm: _together([each.mean_dice for each in of]) for arm, of in found.arms.items()}
    colors = [context.arm_styles[arm].color for arm, values in rows.items() if len(values)]
    return _strips(context, world, rows, colors, name="dice", title="Dice of single images")


def dice_by_class(context: FigureContext, world: str, found: WorldEvaluations, arm: str) -> RenderedFigure | None:
    """Class by class of one arm; None where no run kept it, or where there is one class only."""
    if len(found.shown) < 2:
        return None
    every = [[each.dice[k] for each in found.arms[arm] if k < len(each.dice)] for k in found.shown]
    rows = {class_name(found.names, k): _together(of) for k, of in zip(found.shown, every, strict=True)}
    colors = [context.arm_styles[arm].color] * len(rows)
    number = context.comparison.arms.index(arm) + 1
    return _strips(context, world, rows, colors, name=f"dice_{number}", title=f"Dice of single images, {arm}")


def _together(by_seed: Sequence[Values | None]) -> Values:
    """The values that all seeds kept, in ascending order (n,)."""
    known = [values for values in by_seed if values is not None]
    return np.sort(np.concatenate(known)) if known else np.zeros(0)


def _strips(
    context: FigureContext, world: str, rows: Mapping[str, Values], colors: Sequence[str], *, name: str, title: str
) -> RenderedFigure | None:
    rows = {label: values for label, values in rows.items() if len(values)}
    if not rows:
        return None
    named = len(rows) > 1
    figure, ax = new_figure(height=0.66 + 0.38 * len(rows))
    place_axes(figure, ax, left=names_width([*rows]) if named else 0.15, right=0.2, top=0.06)
    for at, (values, color) in enumerate(zip(rows.values(), colors, strict=False)):
        draw_strip(ax, at, values, color, most=DOTS)
    label_rows(ax, [*rows] if named else [""])
    ax.set_xlim(-0.02, 1.02)
    ax.grid(axis="x")
    set_x_ticks(ax)
    title_axes(ax, "Dice")
    row_texts = [f"{label} {_distribution_text(values)}" for label, values in rows.items()]
    note = "Below the dots, quartiles and median. Images without anything to find or found have no Dice."
    alt = f"{title}: {'; '.join(row_texts)}."
    return context.write(
        figure, name, world, title=title, note=note, alt=alt, tooltips=tooltips.row_tooltips(ax, row_texts)
    )


def _distribution_text(values: Values) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"median {middle:.3f}, quartiles {low:.3f} and {high:.3f}, from {values.min():.3f} to {values.max():.3f}"
