"""Tables of the page: cells with what they say and what they are sorted by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev
from typing import NamedTuple

from fedmed.comparison.rows import Mark
from fedmed.formatting import defined_share, value


class Whisker(NamedTuple):
    """A mean and its interval as percent of a cell's width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """text: what it says. sort: what it is sorted by, None for last. faint: what stands behind it, smaller.

    arm: whose colour it has. mark: see `Row`. whisker: drawn instead of text. href: where the text leads; title: what
    tells it from others that read alike. wrapped: whether it may take several lines. alert: whether it is bad.
    """

    text: str = ""
    sort: float | str | None = None
    faint: str = ""
    arm: str = ""
    mark: Mark = ""
    whisker: Whisker | None = None
    href: str = ""
    title: str = ""
    wrapped: bool = False
    alert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlTable:
    """header: name and what it means in full, one per column; the first column names the rows.

    worded: columns of words, besides the first; the others are numbers.
    """

    caption: str
    header: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[TableCell]]
    worded: Collection[int] = ()

    @property
    def marked(self) -> bool:
        """Whether any cell is marked."""
        return any(cell.mark for row in self.rows for cell in row)


def arm_cell(name: str) -> TableCell:
    """A cell with an arm's name and a mark in its colour."""
    return TableCell(text=name, sort=name, arm=name)


def number_cell(x: float | None, say: Callable[[float], str]) -> TableCell:
    """A number as `say` puts it; a dash where it is not known."""
    return TableCell(text="-") if x is None else TableCell(text=say(x), sort=x)


def metric_cell(x: float | None) -> TableCell:
    """A cell with a metric's value, three decimals."""
    return number_cell(x, value)


def count_cell(x: float | None) -> TableCell:
    """A cell with a count, or with a mean of counts to three digits."""
    return number_cell(x, lambda number: f"{number:.3g}" if number % 1 else f"{number:.0f}")


def mean_cell(values: Collection[float], rests: tuple[float, float] | None = None) -> TableCell:
    """The mean of what is defined, its standard deviation where there are several, and what it rests on.

    rests: of how many, and how many there are, where that is finer than how many of the values are defined.
    """
    known = [float(each) for each in values if isfinite(each)]
    if not known:
        return TableCell(text="-")
    spread = f"± {value(stdev(known))}" if known[1:] else ""
    on = defined_share(*(rests or (len(known), len(values))))
    return TableCell(text=value(fmean(known)), sort=fmean(known), faint=f"{spread}{on}".strip())
