"""The confusion matrix of an arm: counts of true and predicted classes, and shares of the true ones (percent)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.report.evaluations import WorldEvaluations
from fedmed.report.figures.labels import shorten
from fedmed.report.images.captions import class_name, percent

MOST = 24
"""Classes at most of a matrix that is drawn; of more, only the pairs that are confused most are listed."""

LONGEST = 18
"""Characters of a name beside the matrix."""

NONE = "·"
"""What never happened: among many classes most cells, which should not hide the others."""

LISTED = 5
"""Pairs of classes at most that are listed in words."""


class ConfusionCell(NamedTuple):
    """One cell. share, percent: of its row, as a number and as text; often: how often; text: all of it in words."""

    share: float
    percent: str
    often: str
    text: str
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """names, short: of the classes. rows: their cells, none where classes are too many. confused: pairs, in words."""

    caption: str
    note: str
    names: Sequence[str]
    short: Sequence[str]
    rows: Sequence[Sequence[ConfusionCell]]
    confused: Sequence[str]


def confusion_matrix(found: WorldEvaluations, arm: str) -> ConfusionMatrix | None:
    """Counts of all seeds together; None where no run kept them."""
    matrices = [each.confusion for each in found.arms[arm] if each.confusion is not None]
    if not matrices:
        return None
    counts: NDArray[np.int64] = np.sum(matrices, axis=0)
    names = [class_name(found.names, k) for k in range(len(counts))]
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    drawn = range(len(names) if len(names) <= MOST else 0)
    rows = [[_box(names, counts, shares, i, j) for j in drawn] for i in drawn]
    of = "Pixels" if found.segmented else "Test images"
    seeds = f" of {len(matrices)} seeds together" if len(matrices) > 1 else ""
    note = f"{of}{seeds}: rows are what is true, columns what was predicted; percent of a row."
    if not rows:
        note = f"{of}{seeds}: {len(names)} classes are too many for a matrix, which is in evaluation.json of each run."
    return ConfusionMatrix(
        caption=f"Confusion matrix of {arm}",
        note=note,
        names=names,
        short=shorten(names, LONGEST),
        rows=rows,
        confused=_confused(names, counts, shares),
    )


def _box(names: Sequence[str], counts: NDArray[np.int64], shares: NDArray[np.float64], i: int, j: int) -> ConfusionCell:
    share, count = float(shares[i, j]), int(counts[i, j])
    text = f"true {names[i]}, predicted {names[j]}: {count:,} of {int(counts[i].sum()):,}, {percent(share)}"
    return ConfusionCell(share, _whole(share), short_count(count) if count else NONE, text, i == j)


def _whole(share: float) -> str:
    """Percent without its sign: `47`; what never happened is a dot, what hardly ever did is no nought."""
    if 0 < share < 0.005:
        return "<1"
    return f"{100 * share:.0f}" if share else NONE


def short_count(number: int) -> str:
    """`950`, `12k`, `3.4M`."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= 10 * size or (size == 1_000_000 and number >= size):
            return f"{number / size:.{0 if number >= 10 * size else 1}f}{unit}"
    return str(number)


def _confused(names: Sequence[str], counts: NDArray[np.int64], shares: NDArray[np.float64]) -> list[str]:
    """The mistakes that take the largest share of what is true, largest first."""
    wrong = [(i, j) for i, j in np.ndindex(counts.shape) if i != j and counts[i, j]]
    worst = sorted(wrong, key=lambda at: (-shares[at], -counts[at]))[:LISTED]
    return [f"{names[i]} taken for {names[j]}: {percent(float(shares[i, j]))} ({counts[i, j]:,})" for i, j in worst]
