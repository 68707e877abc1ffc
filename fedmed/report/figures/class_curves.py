"""ROC, precision-recall and calibration curves, class by class, of all arms together.

Over seeds curves are averaged upright: sensitivity at the same false positive rate (Fawcett, An Introduction to ROC
Analysis, Pattern Recognition Letters 2006), precision at the same recall, and the share that is true in the same bin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from fedmed.formatting import value
from fedmed.report.evaluations import CalibrationBins, Evaluation, ThresholdCounts, WorldEvaluations
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dots import ends, means
from fedmed.report.figures.small_multiples import SmallMultiples, SmallPlot, small_multiples
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.images.captions import class_name
from fedmed.report.series import Band, Values

GRID: Values = np.linspace(0, 1, 31) ** 1.5
"""Where curves are averaged: closer on the left, where they bend."""

MOST = 24
"""Plots of a figure at most."""

FEW = 5
"""Examples of all seeds together below which a bin is left out."""

SPREAD = "Mean over seeds; the band reaches from the lowest seed to the highest."

ROC = SmallMultiples(
    name="roc", title="ROC curves", x="false positive rate", y="Sensitivity", note="Line: chance.", diagonal=True
)
PR = SmallMultiples(
    name="pr", title="Precision-recall curves", x="recall", y="Precision", note="Line: chance.", diagonal=False
)
CALIBRATION = SmallMultiples(
    name="calibration",
    title="Calibration",
    x="predicted probability",
    y="Share that is true",
    note=f"On the line, probabilities mean what they say. Bins of fewer than {FEW} images are left out.",
    diagonal=True,
)


def class_curves(context: FigureContext, world: str, found: WorldEvaluations) -> Iterator[RenderedFigure]:
    """ROC, precision-recall and calibration figures; without one for which no run kept anything."""
    for plots, panels in (
        (ROC, _along(found, roc, "auc", "AUC")),
        (PR, _along(found, precision_recall, "auprc", "AP")),
        (CALIBRATION, _calibrated(found)),
    ):
        if shown := panels[:MOST]:
            yield small_multiples(context, world, shown, _noted(plots, found, len(panels)))


def _noted(plots: SmallMultiples, found: WorldEvaluations, number: int) -> SmallMultiples:
    more = f"The first {MOST} of {number}." if number > MOST else ""
    over = SPREAD if any(len(of) > 1 for of in found.arms.values()) else ""
    return replace(plots, note=" ".join(filter(None, (plots.note, over, more))))


def roc(t: ThresholdCounts) -> Values:
    """Sensitivity at the false positive rates of the grid, from none on."""
    return np.append(0.0, np.interp(GRID, t.fp / t.fp[-1], t.tp / t.tp[-1]))


def precision_recall(t: ThresholdCounts) -> Values:
    """Precision at the recalls of the grid, between thresholds as in ROC space; at 0 that of the highest score."""
    wanted = np.maximum(GRID, 1e-9) * t.tp[-1]
    after = np.searchsorted(t.tp, wanted).clip(1, len(t.tp) - 1)
    step = t.tp[after] - t.tp[after - 1]
    share = np.divide(wanted - t.tp[after - 1], step, out=np.zeros_like(wanted), where=step > 0)
    fp = t.fp[after - 1] + share * (t.fp[after] - t.fp[after - 1])
    found: Values = wanted / (wanted + fp)
    return found


def _along(
    found: WorldEvaluations, curve: Callable[[ThresholdCounts], Values], metric: str, label: str
) -> list[SmallPlot]:
    """A plot for every class of which some run has a curve."""
    panels = []
    for k in found.shown:
        lines, summaries, shares = {}, {}, []
        for arm, of in found.arms.items():
            known = [t for each in of if k < len(each.thresholds) and (t := each.thresholds[k]) is not None]
            drawn = [curve(t) for t in known]
            shares += [t.tp[-1] / (t.tp[-1] + t.fp[-1]) for t in known]
            if drawn:
                lines[arm] = _band(np.append(np.zeros(len(drawn[0]) - len(GRID)), GRID), np.array(drawn))
                summaries[arm] = f"{label} {_mean(of, metric, k)}"
        if lines:
            level = float(np.mean(shares)) if curve is precision_recall else None
            panels.append(SmallPlot(title=class_name(found.names, k), lines=lines, summaries=summaries, level=level))
    return panels


def _band(x: Values, values: Values) -> Band:
    return Band(x, values.mean(0), values.min(0), values.max(0))


def _mean(of: Sequence[Evaluation], metric: str, k: int) -> str:
    known = [float(each.per_class[metric][k]) for each in of if metric in each.per_class]
    return value(float(np.mean(known))) if known else "-"


def _calibrated(found: WorldEvaluations) -> list[SmallPlot]:
    """The most probable class first, where one class is true of an image; then class by class."""
    whole = {arm: [each.top for each in of if each.top] for arm, of in found.arms.items()}
    panels = [_reliability("top prediction", whole)]
    for k in found.shown:
        mine = {
            arm: [b for each in of if k < len(each.calibration) and (b := each.calibration[k])]
            for arm, of in found.arms.items()
        }
        panels.append(_reliability(class_name(found.names, k), mine))
    return [panel for panel in panels if panel.lines]


def _reliability(title: str, found: dict[str, list[CalibrationBins]]) -> SmallPlot:
    lines = {arm: line for arm, bins in found.items() if bins and len((line := reliability(bins)).x)}
    summaries = {arm: f"ECE {value(np.mean([calibration_error(each) for each in found[arm]]).item())}" for arm in lines}
    return SmallPlot(title=title, lines=lines, summaries=summaries, dotted=True)


def reliability(bins: Sequence[CalibrationBins]) -> Band:
    """In bins of enough examples, what of all seeds together was predicted and what is true; the band is over seeds."""
    n, hits, p = (np.array([getattr(each, name) for each in bins], float) for name in CalibrationBins._fields)
    shares = np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)
    total = n.sum(0)
    some = total >= FEW
    weighted = means(np.where(n > 0, p * n, np.nan)) * (n > 0).sum(0)
    low, high = ends(shares)
    return Band(weighted[some] / total[some], hits.sum(0)[some] / total[some], low[some], high[some])


def calibration_error(bins: CalibrationBins) -> float:
    """Expected calibration error of what the bins hold."""
    gaps = np.abs(bins.hits - bins.n * np.nan_to_num(bins.p))
    return float(gaps.sum() / bins.n.sum()) if bins.n.sum() else float("nan")
