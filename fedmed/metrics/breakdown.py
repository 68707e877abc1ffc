"""What an evaluation is drawn from, class by class: counts along thresholds, decisions, calibration; bounded in size.

Between two thresholds counts are interpolated linearly, which is exact for the ROC curve and gives the PR curve that
can be achieved (Davis and Goadrich, The Relationship Between Precision-Recall and ROC Curves, ICML 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.metrics.outputs import ClassificationOutputs

POINTS = 64
"""Points at most that a curve keeps for its ROC form, and again for its PR form."""

BINS = 15
"""Bins of equal width of a calibration curve, those of the expected calibration error."""

IMAGES = 200
"""Values at most of a distribution over images."""

Counts = NDArray[np.int64]


def classified(o: ClassificationOutputs, *, single: bool) -> dict[str, Any]:
    """Of a classification: decisions, counts along thresholds and calibration per class; one entry per class.

    single: whether one class is true of an image. Of two such classes only class 1 has curves.
    Nothing where a probability is not a number, or where there is no example.
    """
    if not len(o) or o.probabilities.isnan().any():
        return {}
    chosen = o.found
    if single:
        chosen = torch.zeros_like(o.truth).scatter(1, o.probabilities.argmax(1, keepdim=True), True)
    classes = range(o.truth.shape[1])
    drawn = [number for number in classes if not single or len(classes) > 2 or number == 1]
    found: dict[str, Any] = {
        "decisions": [_decisions(chosen[:, k], o.truth[:, k], o.seen[:, k]) for k in classes],
        "thresholds": [_thresholds(o, k) if k in drawn else None for k in classes],
        "calibration": [_calibration(*_annotated(o, k)) if k in drawn else None for k in classes],
    }
    return found | ({"top_calibration": _calibration(*_top(o))} if single else {})


def spread_over_images(values: Tensor) -> list[list[float] | None]:
    """Of values per image and class (M, C), those that are defined, ascending and thinned; None for a class without."""
    return [thinned(column[~column.isnan()].numpy()) for column in values.unbind(1)]


def thinned(values: NDArray[np.float64], most: int = IMAGES) -> list[float] | None:
    """Values ascending; of more than `most` evenly spaced ones, the least and the greatest among them."""
    if not len(values):
        return None
    order = np.sort(values)
    return _rounded(order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))])


def _decisions(chosen: Tensor, truth: Tensor, seen: Tensor) -> dict[str, int]:
    pairs = {"tp": chosen & truth, "fp": chosen & ~truth, "fn": ~chosen & truth, "tn": ~chosen & ~truth}
    return {name: int((found & seen).sum()) for name, found in pairs.items()}


def _thresholds(o: ClassificationOutputs, k: int) -> dict[str, list[Any]] | None:
    """True and false positives at falling thresholds, the last of which lets all pass; None where a side is missing."""
    tp, fp = o.curve.tp[:, k].numpy(), o.curve.fp[:, k].numpy()
    if not tp[-1] or not fp[-1]:
        return None
    score = o.probabilities[:, k].sort(descending=True).values.numpy()
    rows = np.flatnonzero(np.append((np.diff(tp) != 0) | (np.diff(fp) != 0), True))
    rows = rows[_kept(tp[rows], fp[rows])]
    return {"score": _rounded(score[rows]), "tp": tp[rows].tolist(), "fp": fp[rows].tolist()}


def _kept(tp: Counts, fp: Counts) -> NDArray[np.intp]:
    """Which points stay: all corners of the ROC curve where they are few, else evenly along both curves."""
    right, up = np.diff(np.append(0, fp)), np.diff(np.append(0, tp))
    corners = np.flatnonzero(np.append(right[:-1] * up[1:] != right[1:] * up[:-1], True))
    if len(corners) <= 2 * POINTS:
        return corners
    recall, precision = tp / tp[-1], tp / (tp + fp)
    ways = (_way(recall, fp / fp[-1]), _way(recall, precision))
    return np.unique(np.concatenate([_evenly(way) for way in ways]))


def _way(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far it is along a line to each of its points."""
    return np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))


def _evenly(way: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.searchsorted(way, np.linspace(0, way[-1], POINTS)).clip(0, len(way) - 1)


def _annotated(o: ClassificationOutputs, k: int) -> tuple[Tensor, Tensor]:
    return o.probabilities[o.seen[:, k], k], o.truth[o.seen[:, k], k]


def _top(o: ClassificationOutputs) -> tuple[Tensor, Tensor]:
    p, k = o.probabilities.max(1)
    return p, o.truth.gather(1, k.unsqueeze(1)).squeeze(1)


def _calibration(p: Tensor, hit: Tensor) -> dict[str, list[Any]]:
    """Per bin how many, how many of them are true, and their mean probability (null in an empty bin)."""
    bins = (p * BINS).ceil().long().sub(1).clamp(0, BINS - 1)
    n, hits = bins.bincount(minlength=BINS), bins[hit].bincount(minlength=BINS)
    sums = torch.zeros(BINS, dtype=p.dtype).index_add(0, bins, p).tolist()
    means = [round(total / count, 4) if count else None for total, count in zip(sums, n.tolist(), strict=True)]
    return {"n": n.tolist(), "hits": hits.tolist(), "p": means}


def _rounded(values: NDArray[np.float64] | Sequence[float]) -> list[float]:
    return [round(float(value), 4) for value in values]
