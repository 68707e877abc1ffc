"""Metrics of a ranking, one per column: AUC, average precision, sensitivity at a specificity; exact under ties.

AUC is the Mann-Whitney statistic with mid-ranks (Hanley and McNeil, Radiology 1982); average precision is the step-wise
sum, as in scikit-learn. A column without an annotated positive or without an annotated negative is undefined: nan.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RankingCurve:
    """Counts along N examples sorted by falling score, one column per class; all (N, C) int64, totals (C,).

    positive, negative: 1 where this example is an annotated positive (negative), else 0.
    above: annotated positives with a higher score than this example's.
    tp, fp: annotated positives (negatives) with a score at least as high as this example's.
    positives, negatives: annotated positives (negatives) in all.
    """

    positive: Tensor
    negative: Tensor
    above: Tensor
    tp: Tensor
    fp: Tensor
    positives: Tensor
    negatives: Tensor


def curve(score: Tensor, truth: Tensor, seen: Tensor) -> RankingCurve:
    """The curve of every column.

    score: (N, C). truth, seen: (N, C) bool; where `seen` is false the example does not count.
    """
    ranked, order = score.sort(0, descending=True)
    positive = (truth & seen).gather(0, order).long()
    negative = (~truth & seen).gather(0, order).long()
    tp, fp = positive.cumsum(0), negative.cumsum(0)
    first, last = _ties(ranked)
    return RankingCurve(
        positive,
        negative,
        above=(tp - positive).gather(0, first),
        tp=tp.gather(0, last),
        fp=fp.gather(0, last),
        positives=positive.sum(0),
        negatives=negative.sum(0),
    )


def _ties(ranked: Tensor) -> tuple[Tensor, Tensor]:
    """For every row of sorted columns the first and the last row with the same value."""
    row = torch.arange(len(ranked), device=ranked.device).unsqueeze(1).expand_as(ranked)
    change = ranked[1:] != ranked[:-1]
    edge = torch.ones_like(ranked[:1], dtype=torch.bool)
    first = row.where(torch.cat([edge, change]), 0).cummax(0).values
    end = row.where(torch.cat([change, edge]), len(ranked))
    return first, end.flip(0).cummin(0).values.flip(0)


def auc(c: RankingCurve) -> Tensor:
    """Area under the ROC curve, (C,)."""
    # positives above each negative, those tied with it counted half
    wins = (c.negative * (c.above + c.tp)).sum(0).double() / 2
    return wins / (c.positives * c.negatives)


def resampled_auc(score: Tensor, truth: Tensor, seen: Tensor, times: Tensor) -> Tensor:
    """`auc` of many resamples, (R, C), with the bits of each alone, as counts are whole numbers; sorts once.

    score: (N, C). truth, seen: (N, C) bool. times: (R, N) int64, how often a resample has each example.
    """
    ranked, order = score.sort(0, descending=True)
    first, last = _ties(ranked)
    found = []
    for c in range(score.shape[1]):
        drawn = times[:, order[:, c]]  # (R, N)
        positive = drawn * (truth & seen)[order[:, c], c]
        negative = drawn * (~truth & seen)[order[:, c], c]
        tp = positive.cumsum(1)
        above = (tp - positive)[:, first[:, c]]
        wins = (negative * (above + tp[:, last[:, c]])).sum(1).double() / 2
        found.append(wins / (positive.sum(1) * negative.sum(1)))
    return torch.stack(found, 1)


def average_precision(c: RankingCurve) -> Tensor:
    """Sum over thresholds of precision times the rise in recall, (C,)."""
    precision = c.tp.double() / (c.tp + c.fp).clamp(min=1)
    return _defined(c, (c.positive * precision).sum(0) / c.positives)


def sensitivity_at_specificity(c: RankingCurve, percent: int) -> Tensor:
    """Highest sensitivity among the thresholds whose specificity is at least `percent` / 100, (C,)."""
    if not len(c.tp):
        return torch.full_like(c.positives, torch.nan, dtype=torch.float64)
    allowed = 100 * c.fp <= (100 - percent) * c.negatives
    return _defined(c, c.tp.where(allowed, 0).amax(0).double() / c.positives)


def _defined(c: RankingCurve, values: Tensor) -> Tensor:
    return values.where((c.positives > 0) & (c.negatives > 0), torch.nan)
