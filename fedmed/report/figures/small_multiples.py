"""Small plots of shares against shares, a class each, all in one figure: three in a row, so that a phone has room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fedmed.report.figures import tooltips
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_band
from fedmed.report.figures.labels import draw_legend, label, legend_height, shorten
from fedmed.report.figures.overlap import redraw_overlaps
from fedmed.report.figures.style import FAINT, FOREGROUND, RULE, WIDTH, ArmStyle, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.tooltips import Tooltip
from fedmed.report.series import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, GAP, HEAD = 3, 0.2, 0.24
"""Plots side by side, inches between them, and inches over each for its name."""

MOST_TOOLTIPS, ALL_TOOLTIPS = 10, 250
"""Tooltips at most over one plot, side by side, and values at most in all tooltips of a figure."""

LEFT, RIGHT, FOOT = 0.3, 0.12, 0.46


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallPlot:
    """One plot.

    lines: by arm, all in 0 to 1. summaries: by arm, the line's mean or error as text. level: y of chance, where level.
    """

    title: str
    lines: Mapping[str, Band]
    summaries: Mapping[str, str]
    dotted: bool = False
    level: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallMultiples:
    """What all plots of a figure share. diagonal: whether the line from corner to corner means something."""

    name: str
    title: str
    x: str
    y: str
    note: str
    diagonal: bool


def small_multiples(
    context: FigureContext, world: str, panels: Sequence[SmallPlot], plots: SmallMultiples
) -> RenderedFigure:
    """The figure: its plots row by row, one legend for all, and the texts that a pointer shows."""
    arms = list(dict.fromkeys(arm for panel in panels for arm in panel.lines))
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    side = min(3.4, (WIDTH - LEFT - RIGHT - GAP * (columns - 1)) / columns)
    foot = FOOT + (legend_height(arms) if len(arms) > 1 else 0.0)
    figure, ax = new_figure(height=rows * (side + HEAD) + (rows - 1) * GAP + foot + 0.05)
    place_axes(figure, ax, left=LEFT, right=WIDTH - LEFT - columns * side - (columns - 1) * GAP, bottom=foot, top=0.05)
    wide, tall = 1 + GAP / side, 1 + (GAP + HEAD) / side
    ax.set(xlim=(0, columns * wide - GAP / side), ylim=(0, rows * tall - GAP / side))
    ax.set_axis_off()
    together: list[str] = []
    areas: list[Tooltip] = []
    parts = max(1, min(MOST_TOOLTIPS, ALL_TOOLTIPS // (len(panels) * len(arms))))
    names = shorten([panel.title for panel in panels], int(side * 15))
    for number, (name, panel) in enumerate(zip(names, panels, strict=True)):
        row, column = divmod(number, columns)
        corner = (column * wide, (rows - 1 - row) * tall)
        _frame(ax, corner, name, diagonal=plots.diagonal)
        together.append(_lines(ax, corner, panel, {arm: context.arm_styles[arm] for arm in panel.lines}))
        areas += _areas(ax, corner, tall - GAP / side, panel, plots, parts)
    label(ax, f"{plots.y} by {plots.x}", (0, 0), (0, -22), down="top")
    if len(arms) > 1:
        draw_legend(ax, {arm: context.arm_styles[arm].color for arm in arms}, below=FOOT)
    same = together[0] if len({*together}) == 1 else ""
    texts = [_panel_text(panel).replace("\n", ", ") + "." for panel in panels]
    return context.write(
        figure,
        plots.name,
        world,
        title=plots.title,
        note=f"{plots.note} {same}".strip(),
        alt=f"{plots.title}: {plots.y} by {plots.x}. {' '.join(texts)}",
        tooltips=areas,
    )


def _frame(ax: Axes, corner: tuple[float, float], title: str, *, diagonal: bool) -> None:
    """Axes, numbers, chance where it is the diagonal, and the name of a plot."""
    x, y = corner
    ax.vlines([x, x + 0.5, x + 1], y, y + 1, color=RULE, linewidth=0.6, zorder=0)
    ax.hlines([y, y + 0.5, y + 1], x, x + 1, color=RULE, linewidth=0.6, zorder=0)
    for share in (0, 0.5, 1):
        label(ax, f"{share:g}", (x + share, y), (0, -3), across="center", down="top", size=7)
        if x == 0:
            label(ax, f"{share:g}", (x, y + share), (-4, 0), across="right", down="center", size=7)
    if diagonal:
        ax.plot((x, x + 1), (y, y + 1), color=FAINT, linewidth=0.7, zorder=1)
    label(ax, title, (x, y + 1), (0, 4), size=8, color=FOREGROUND)


def _lines(ax: Axes, corner: tuple[float, float], panel: SmallPlot, arm_styles: Mapping[str, ArmStyle]) -> str:
    """Draws a plot's lines, and gives a sentence that names those that coincide, or nothing."""
    x, y = corner
    moved = {arm: Band(of.x + x, of.mean + y, of.low + y, of.high + y) for arm, of in panel.lines.items()}
    for after, (arm, line) in zip(reversed(range(len(moved))), moved.items(), strict=True):
        draw_band(ax, line, arm_styles[arm], dots="all" if panel.dotted and len(moved) < 3 else "none")
        if len(line.x) == 1:  # larger the earlier, so that all are seen where they coincide
            ax.plot(
                line.x, line.mean, "o", color=arm_styles[arm].color, markersize=3.2 + 1.8 * after, markeredgewidth=0
            )
    if panel.level is not None:
        ax.plot((x, x + 1), (y + panel.level,) * 2, color=FAINT, linewidth=0.7, zorder=1)
    if len(panel.lines) == 1 and (summary := next(iter(panel.summaries.values()), "")):
        label(ax, summary, (x + 1, y), (-3, 4), across="right", size=7.5)
    return redraw_overlaps(ax, moved, {arm: arm_styles[arm].color for arm in moved})


def _areas(
    ax: Axes, corner: tuple[float, float], height: float, panel: SmallPlot, plots: SmallMultiples, parts: int
) -> list[Tooltip]:
    """Strips over a plot, which tell all lines where they are; one for all of it tells only what they come to."""
    x, y = corner
    if parts == 1:
        return [tooltips.area_tooltip(ax, corner, (x + 1, y + height), _panel_text(panel))]
    edges = [number / parts for number in range(parts + 1)]
    at = [(low + high) / 2 for low, high in pairwise(edges)]
    texts = [f"{panel.title}, {plots.x} {share:.2f}\n{plots.y}\n{_values(panel, share)}" for share in at]
    spans = zip(pairwise(edges), texts, strict=True)
    return [tooltips.area_tooltip(ax, (x + low, y), (x + high, y + height), text) for (low, high), text in spans]


def _values(panel: SmallPlot, at: float) -> str:
    """Each line's mean there, a dash where it is not, and what the line comes to."""
    values = {arm: np.interp(at, line.x, line.mean, left=np.nan, right=np.nan) for arm, line in panel.lines.items()}
    means = {arm: "-" if np.isnan(mean) else f"{mean:.2f}" for arm, mean in values.items()}
    return "\n".join(f"{arm} {mean} ({panel.summaries[arm]})" for arm, mean in means.items())


def _panel_text(panel: SmallPlot) -> str:
    return "\n".join([panel.title, *(f"{arm} {summary}" for arm, summary in panel.summaries.items())])
