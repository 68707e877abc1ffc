"""Paired differences from the reference arm, and average ranks over worlds with their critical difference.

Demsar: Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7, 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedmed.comparison.rows import Ranking, Row
from fedmed.formatting import interval, p_value_text, signed
from fedmed.report.figures import tooltips
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.labels import label_over_rows, names_width, shorten, title_axes, truncate
from fedmed.report.figures.style import BACKGROUND, FAINT, FOREGROUND, WIDTH, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.4
"""Inches of an arm: its name, and below it its difference."""

FILLED = "Filled: significant after Holm's correction."


def forest_plot(context: FigureContext, world: str) -> RenderedFigure | None:
    """Every arm's paired difference from the reference; None without another arm, or without a seed of both."""
    reference = context.comparison.reference
    rows = [row for row in context.rows(world) if row.difference is not None and row.arm != reference]
    if not rows:
        return None
    row_texts = [f"{signed(row.difference)} {interval(row.dlow, row.dhigh, sign=True)}".strip() for row in rows]
    figure, ax = new_figure(height=0.6 + ROW * len(rows))
    place_axes(figure, ax, left=0.1, right=0.1, top=0.06)
    ax.axvline(0, color=FAINT, linewidth=0.9)
    for at, row in enumerate(rows):
        _difference(ax, at, row, context.arm_styles[row.arm].color)
    label_over_rows(ax, [row.arm for row in rows], row_texts)
    ax.set_xlim(*_limits(rows))
    ax.grid(axis="x")
    set_x_ticks(ax)
    title_axes(ax, f"{context.metric}, minus that of {truncate(reference)}")
    arm_texts = [f"{row.arm} {text}" for row, text in zip(rows, row_texts, strict=True)]
    filled = any(row.p_holm is not None for row in rows)
    return context.write(
        figure,
        "differences",
        world,
        title=f"Paired difference from {reference}",
        note=f"Same seed, same data, same start. Lines: 95 % intervals.{f' {FILLED}' if filled else ''}",
        alt=f"Paired differences from {reference} in {context.metric}: {'; '.join(arm_texts)}.",
        tooltips=tooltips.row_tooltips(ax, [_tip(row, text) for row, text in zip(rows, arm_texts, strict=True)]),
    )


def _tip(row: Row, text: str) -> str:
    """A row's difference and interval, and how sure it is."""
    return text if row.p_holm is None else f"{text}\np {p_value_text(row.p_holm)} (Holm), {row.n} seeds"


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Room for all differences and intervals; those of references are cut where they would squeeze the others."""
    ends = [0.0, *(row.difference for row in rows if row.difference is not None)]
    ends += [end for row in rows if row.federated for end in (row.dlow, row.dhigh) if end is not None]
    span = max(ends) - min(ends) or 0.1
    least, most = min(ends) - span, max(ends) + span
    ends += [min(max(end, least), most) for row in rows for end in (row.dlow, row.dhigh) if end is not None]
    aside = 0.06 * (max(ends) - min(ends)) or 0.01
    return min(ends) - aside, max(ends) + aside


def _difference(ax: Axes, at: int, row: Row, color: str) -> None:
    if row.dlow is not None and row.dhigh is not None:
        ax.plot((row.dlow, row.dhigh), (at, at), color=color)
    sure = row.p_holm is not None and row.p_holm < 0.05
    ax.plot(
        row.difference or 0.0,
        at,
        "o",
        color=color if sure else BACKGROUND,
        markeredgecolor=color,
        markeredgewidth=1.4,
        ms=5.5,
    )


def rank_diagram(context: FigureContext, ranking: Ranking) -> RenderedFigure:
    """A critical-difference diagram: arms on the line of their ranks, best left; bars join those that are alike."""
    count, half = len(ranking.arms), (len(ranking.arms) + 1) // 2
    side, names = names_width(ranking.arms) + 0.5, shorten(ranking.arms)
    width = max(WIDTH, 2 * side + 0.22 * count)
    figure, ax = new_figure(width, height=0.95 + 0.2 * half + 0.1 * len(ranking.alike))
    place_axes(figure, ax, left=side, right=side, bottom=0.05, top=0.3)
    ax.spines[:].set_visible(False)
    ax.set_yticks([])
    ax.xaxis.set_ticks_position("top")
    ax.spines.top.set(visible=True, color=FAINT)
    ax.set_xticks(range(1, count + 1))
    depth = half + 1 + 0.5 * len(ranking.alike)
    ax.set(xlim=(0.9, count + 0.1), ylim=(depth, 0))
    for number, group in enumerate(ranking.alike):
        at = [ranking.ranks[ranking.arms.index(arm)] for arm in group]
        ax.plot((min(at) - 0.04, max(at) + 0.04), (0.4 + 0.5 * number,) * 2, color=FOREGROUND, linewidth=3)
    for number, (arm, rank) in enumerate(zip(ranking.arms, ranking.ranks, strict=True)):
        left = number < half
        row = 0.9 + 0.5 * len(ranking.alike) + (number if left else count - 1 - number)
        end, color = 0.9 if left else count + 0.1, context.arm_styles[arm].color
        ax.plot((rank, rank, end), (0, row, row), color=color, linewidth=1, clip_on=False)
        say = f"{names[number]}  {rank:.2f}" if left else f"{rank:.2f}  {names[number]}"
        ax.annotate(say, (end, row), (-4 if left else 4, 0), textcoords="offset points", va="center",
                    ha="right" if left else "left", color=color, annotation_clip=False)  # fmt: skip
    critical = " The worlds are too few to test ranks."
    if ranking.critical is not None:
        critical = (
            f" Bars join arms that are not apart by the critical difference, {ranking.critical:.2f} (Nemenyi, 5 %)."
        )
    ranks_text = ", ".join(f"{arm} {rank:.2f}" for arm, rank in zip(ranking.arms, ranking.ranks, strict=True))
    title = f"Average ranks over {len(ranking.worlds)} worlds"
    note = f"1 is best.{critical}"
    alt = f"{title}: {ranks_text}.{critical}"
    return context.write(figure, "ranks", None, title=title, note=note, alt=alt, wide=width > WIDTH)
