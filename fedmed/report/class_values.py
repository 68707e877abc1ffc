"""Values per class or finding: the table of an arm, and a figure of all arms for every metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fedmed.formatting import NAMES
from fedmed.metric_direction import FOUND_ONLY
from fedmed.report.evaluations import Evaluation, WorldEvaluations
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dots import ArmValues, dot_plot, means
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.images.captions import class_name
from fedmed.report.series import Values
from fedmed.report.tables.cells import HtmlTable, TableCell, count_cell, mean_cell


class _Share(NamedTuple):
    """A metric of decisions: what it is called and means, and how it comes from (tp, fp, fn, tn), all (C,)."""

    name: str
    meaning: str
    of: Callable[[Values, Values, Values, Values], Values]


def _ratio(part: Values, whole: Values) -> Values:
    found: Values = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


DECISIONS = {
    "sensitivity": _Share("sensitivity", "share of those that have it", lambda tp, fp, fn, tn: _ratio(tp, tp + fn)),
    "specificity": _Share("specificity", "share of those without it", lambda tp, fp, fn, tn: _ratio(tn, tn + fp)),
    "precision": _Share("precision", "share of those predicted to have it", lambda tp, fp, fn, tn: _ratio(tp, tp + fp)),
    "f1": _Share("F1", "of sensitivity and precision", lambda tp, fp, fn, tn: _ratio(2 * tp, 2 * tp + fp + fn)),
}
"""What decisions give, by the name of the metric."""

FIRST = ("auc", "auprc", "dice", "iou", *DECISIONS)
"""Metrics in the order in which they are shown; others follow."""

METRIC_LABELS = {**NAMES, "auprc": "AP", **{name: share.name for name, share in DECISIONS.items()}}

IN_IMAGES = ", mean over images that have it in truth and prediction (how many, of those that have it in either)"

COUNTS = ("TP", "FP", "FN", "TN")


def class_metrics(found: WorldEvaluations) -> dict[str, ArmValues]:
    """Metric -> arm -> values of its seeds and classes (seeds, C), of metrics that are defined anywhere."""
    values = {arm: [_values(each, segmented=found.segmented) for each in of] for arm, of in found.arms.items()}
    names = {name: None for of in values.values() for each in of for name in each}
    ordered = sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    values_of = {name: _of_metric(name, values, found) for name in ordered}
    return {name: of for name, of in values_of.items() if of}


def _of_metric(name: str, values: Mapping[str, Sequence[Mapping[str, Values]]], found: WorldEvaluations) -> ArmValues:
    tables = {arm: np.array([each[name] for each in of if name in each]) for arm, of in values.items()}
    return {arm: table for arm, table in tables.items() if _known(table, found)}


def _known(values: Values, found: WorldEvaluations) -> bool:
    """Whether any value of a class that is shown is defined."""
    return bool(len(values)) and bool(np.isfinite(values[:, found.shown]).any())


def _values(each: Evaluation, *, segmented: bool) -> dict[str, Values]:
    counts = None if each.counts is None else each.counts.astype(float).T
    # of pixels, nearly all are rightly nothing, and F1 is Dice
    chosen = ("sensitivity", "precision") if segmented else DECISIONS
    derived = {} if counts is None else {name: DECISIONS[name].of(*counts) for name in chosen}
    return {**derived, **each.per_class}


def class_table(found: WorldEvaluations, metrics: Mapping[str, ArmValues], arm: str) -> HtmlTable:
    """A row per class: how many have it, and every metric, mean over seeds."""
    columns = {metric: of[arm] for metric, of in metrics.items() if arm in of}
    several = len(found.arms[arm]) > 1
    over = ", mean and standard deviation over seeds (of how many, if not of all)" if several else ""
    counts = _counts(found, arm)
    header = [("finding" if _multilabel(found) else "class", "by its name"), _support(found)]
    header += [(label, f"{label}{IN_IMAGES if metric in FOUND_ONLY else over}") for metric, label in _named(columns)]
    header += [(name, "decisions at a probability of one half, mean over seeds") for name in counts]
    rows = [
        [
            TableCell(text=class_name(found.names, k), sort=k),
            count_cell(_number(_support_of(found, arm), k)),
            *(mean_cell(values[:, k], _rests(found, arm, metric, k)) for metric, values in columns.items()),
            *(count_cell(_number(values, k)) for values in counts.values()),
        ]
        for k in found.shown
    ]
    return HtmlTable(caption=f"Values per class of {arm}", header=header, rows=rows)


def _named(metrics: Iterable[str]) -> list[tuple[str, str]]:
    """Each metric, and its name as a reader knows it."""
    return [(metric, METRIC_LABELS.get(metric, metric.replace("_", " "))) for metric in metrics]


def _rests(found: WorldEvaluations, arm: str, metric: str, k: int) -> tuple[float, float] | None:
    """Of a metric that misses leave: in how many images of all seeds it is defined, of those that have the class."""
    by_seed = [each.images for each in found.arms[arm] if metric in each.images and "dice" in each.images]
    if metric not in FOUND_ONLY or not by_seed:
        return None
    return sum(float(each[metric][k]) for each in by_seed), sum(float(each["dice"][k]) for each in by_seed)


def _multilabel(found: WorldEvaluations) -> bool:
    return not found.segmented and all(each.confusion is None for of in found.arms.values() for each in of)


def _support(found: WorldEvaluations) -> tuple[str, str]:
    return ("images", "with it in truth or prediction") if found.segmented else ("support", "test images that have it")


def _support_of(found: WorldEvaluations, arm: str) -> Values:
    """How many images have each class, mean over seeds (C,); nan where it is not known."""
    by_seed = [each.images.get("dice") if found.segmented else _positives(each) for each in found.arms[arm]]
    known = [values for values in by_seed if values is not None]
    return means(np.array(known, float)) if known else np.full(len(found.names), np.nan)


def _positives(each: Evaluation) -> Values | None:
    return None if each.counts is None else each.counts[:, 0] + each.counts[:, 2]


def _counts(found: WorldEvaluations, arm: str) -> dict[str, Values]:
    """Decisions of findings, which have no confusion matrix: mean over seeds by kind."""
    by_seed = [each.decisions for each in found.arms[arm] if each.decisions is not None]
    if not by_seed or not _multilabel(found):
        return {}
    return dict(zip(COUNTS, np.mean(by_seed, axis=0).T, strict=True))


def _number(values: Values, k: int) -> float | None:
    return float(values[k]) if np.isfinite(values[k]) else None


def class_figure(
    context: FigureContext, world: str, found: WorldEvaluations, metric: str, values: ArmValues
) -> RenderedFigure:
    """The figure of one metric: a row per class, and in it a dot per arm."""
    ((_, label),) = _named([metric])
    rows = [class_name(found.names, k) for k in found.shown]
    shown = {arm: of[:, found.shown] for arm, of in values.items()}
    title = f"{label} by {'finding' if _multilabel(found) else 'class'}"
    return dot_plot(context, world, rows, shown, name=f"classes_{metric}", title=title, x=label)


def options(metrics: Sequence[str]) -> list[str]:
    """The names of metrics for the list that a reader chooses from."""
    return [label for _, label in _named(metrics)]
