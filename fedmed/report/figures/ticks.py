"""Numbers below plots: as many as stand apart, whatever is left of the plot's width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from fedmed.formatting import with_minus_sign
from fedmed.report.figures.style import RULE, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPACE = 0.09
"""Inches that numbers are apart at least."""


def set_x_ticks(ax: Axes, most: int = 6, *, integer: bool = False) -> None:
    """Numbers at round places below the plot, whose limits are set; `most` at most, fewer where they would touch."""
    from matplotlib.ticker import MaxNLocator

    counts = (MaxNLocator(n, integer=integer).tick_values(*ax.get_xlim()) for n in range(most, 0, -1))
    _place(ax, ([float(at) for at in found] for found in counts))


def set_log_x_ticks(ax: Axes) -> None:
    """The same below a logarithmic scale: at 1, 3, 10, 30, ..., or at fewer."""
    low, high = ax.get_xlim()
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = [[factor * 10.0**power for power in powers for factor in factors] for factors in ((1, 2, 5), (1, 3), (1,))]
    _place(ax, iter([*steps, *([10.0**power for power in powers[::step]] for step in (2, 3, 4))]))
    ax.xaxis.minorticks_off()


def _place(ax: Axes, choices: Iterator[list[float]]) -> None:
    """The first choice whose labels stand apart; else the last one's first and last."""
    low, high = sorted(ax.get_xlim())
    inside: list[float] = []
    for choice in choices:
        aside = 1e-9 * (high - low)
        inside = [at for at in choice if low - aside <= at <= high + aside] or inside
        if _apart(ax, inside, labels := texts(inside)):
            ax.set_xticks(inside, labels)
            return
    ax.set_xticks(inside[:1], texts(inside)[:1])


def _apart(ax: Axes, places: Sequence[float], labels: Sequence[str]) -> bool:
    level = ax.get_ylim()[0]
    x = [float(ax.transData.transform((at, level))[0]) / ax.figure.dpi for at in places]
    wide = [text_width(label, 8.5) for label in labels]
    spans = zip(pairwise(x), pairwise(wide), strict=True)
    return all(right - left >= (one + other) / 2 + SPACE for (left, right), (one, other) in spans)


def texts(places: Sequence[float]) -> list[str]:
    """Numbers with as many decimals as all of them need; by powers of ten where that are too many."""
    steps = [abs(after - before) for before, after in pairwise(places)] or [1.0]
    exact = (n for n in range(6) if all(abs(round(at, n) - at) < 1e-6 * min(steps) for at in places))
    digits = next(exact, None)
    if digits is None or max(map(abs, places), default=0) >= 1e6:
        return [with_minus_sign(f"{at:.4g}") for at in places]
    alike = max(steps) < 1.01 * min(steps)
    return [with_minus_sign(f"{at + 0.0:,.{digits}f}" if alike else f"{at:,g}") for at in places]


def set_bar_ticks(ax: Axes, end: float, ticks: Sequence[float], text: Callable[[float], str]) -> None:
    """Sets limits, grid and ticks of the axis below bars that reach from 0 to `end`."""
    ax.set(xlim=(0, end), yticks=[])
    ax.set_xticks(ticks, [text(tick) for tick in ticks])
    ax.grid(axis="x", color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)


def round_ticks(end: float) -> list[float]:
    """About four round whole numbers from 0 to `end`."""
    from matplotlib.ticker import MaxNLocator

    return [float(tick) for tick in MaxNLocator(3, integer=True).tick_values(0, end) if tick <= end]
