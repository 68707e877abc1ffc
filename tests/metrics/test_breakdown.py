"""What curves are drawn from: true to the metrics, bounded in size, and JSON whatever a net says."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.metrics import breakdown, ranking, tally
from fedmed.metrics.outputs import ClassificationOutputs
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task


def found(task: Task, logits: Tensor, y: Tensor, seen: Tensor | None = None) -> tuple[dict[str, Any], Any]:
    """The breakdown of one batch, and its scores."""
    sums = tally(task)
    sums.add(logits, y, seen)
    return json.loads(json.dumps(sums.breakdown(), allow_nan=False)), sums.scores()


def multiclass(images: int, classes: int = 3, strength: float = 1.0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    y = torch.randint(classes, (images,), generator=g)
    logits = torch.randn(images, classes, generator=g)
    logits[torch.arange(images), y] += strength
    return logits, y


def area(curve: dict[str, Any]) -> float:
    """Under the ROC curve by trapezoids."""
    points = [(0, 0), *zip(curve["fp"], curve["tp"], strict=True)]
    total = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
    return total / (curve["fp"][-1] * curve["tp"][-1])


@pytest.mark.parametrize(("images", "tolerance"), [(60, 1e-12), (20_000, 0.002)])
def test_curves_have_the_area_of_the_metric_and_a_bounded_number_of_points(images: int, tolerance: float) -> None:
    parts, scores = found(MultiClass(classes=3), *multiclass(images))
    for curve, auc in zip(parts["thresholds"], scores.detail["auc_per_class"], strict=True):
        assert area(curve) == pytest.approx(auc, abs=tolerance)
        assert len(curve["tp"]) == len(curve["fp"]) == len(curve["score"]) <= 2 * breakdown.POINTS
        assert curve["score"] == sorted(curve["score"], reverse=True)


@pytest.mark.parametrize(
    ("positives", "images", "strength", "tolerance"), [(40, 40_000, 3, 1e-12), (1000, 100_000, 1, 0.002)]
)
def test_a_rare_finding_keeps_the_left_end_of_its_pr_curve(
    positives: int, images: int, strength: float, tolerance: float
) -> None:
    """Most of its PR curve is in the first hundredth of its ROC curve."""
    g = torch.Generator().manual_seed(0)
    y = (torch.arange(images) < positives).float().unsqueeze(1)
    logits = torch.randn(y.shape, generator=g) + strength * y
    parts, scores = found(MultiLabel(classes=1), logits, y)
    (curve,) = parts["thresholds"]
    tp, fp = np.append(0, curve["tp"]), np.append(0, curve["fp"])
    recall = np.arange(1, positives + 1)
    first = np.searchsorted(tp, recall)
    share = (recall - tp[first - 1]) / (tp[first] - tp[first - 1])
    precision = recall / (recall + fp[first - 1] + share * (fp[first] - fp[first - 1]))
    assert precision.mean() == pytest.approx(scores.detail["map_per_class"][0], abs=tolerance)


def test_a_side_that_is_missing_has_no_curve_and_two_classes_have_one() -> None:
    logits, y = multiclass(30)
    parts, _ = found(MultiClass(classes=3), logits, y.clamp(max=1))
    assert [curve is None for curve in parts["thresholds"]] == [False, False, True]
    parts, _ = found(MultiClass(classes=2), *multiclass(30, 2))
    assert [curve is None for curve in parts["thresholds"]] == [True, False]


def test_decisions_count_what_was_annotated() -> None:
    logits = torch.tensor([[2.0, -1.0], [-2.0, 1.0], [1.0, 3.0], [-1.0, -3.0]])
    y = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    seen = torch.tensor([[True, True], [True, True], [True, False], [True, True]])
    parts, _ = found(MultiLabel(classes=2), logits, y, seen)
    assert parts["decisions"] == [{"tp": 1, "fp": 1, "fn": 1, "tn": 1}, {"tp": 1, "fp": 0, "fn": 1, "tn": 1}]


def test_decisions_of_classes_are_those_of_the_confusion_matrix() -> None:
    parts, scores = found(MultiClass(classes=4), *multiclass(100, 4))
    matrix = np.array(scores.detail["confusion"])
    for k, each in enumerate(parts["decisions"]):
        row, column = matrix[k].sum(), matrix[:, k].sum()
        expected = [matrix[k, k], column - matrix[k, k], row - matrix[k, k], 100 - row - column + matrix[k, k]]
        assert list(each.values()) == expected


def test_the_calibration_of_the_most_probable_class_gives_the_calibration_error() -> None:
    parts, scores = found(MultiClass(classes=3), *multiclass(500))
    bins = parts["top_calibration"]
    gaps = [abs(h - n * p) for n, h, p in zip(bins["n"], bins["hits"], bins["p"], strict=True) if n]
    assert sum(gaps) / 500 == pytest.approx(scores.values["ece"], abs=1e-4)
    assert [p is None for p in bins["p"]] == [n == 0 for n in bins["n"]]


@pytest.mark.parametrize("task", [MultiClass(classes=3), MultiLabel(classes=3)])
def test_what_is_not_a_number_or_not_there_leaves_nothing(task: Task) -> None:
    y = torch.zeros(4, dtype=torch.int64) if task.kind == "multiclass" else torch.zeros(4, 3)
    assert found(task, torch.full((4, 3), torch.nan), y)[0] == {}
    assert found(task, torch.zeros(0, 3), y[:0])[0] == {}


def test_dice_is_spread_over_images() -> None:
    y = torch.zeros(3, 4, 4, dtype=torch.int64)
    y[0, :2], y[1, :1] = 1, 1
    logits = torch.zeros(3, 3, 4, 4)
    logits[:, 0], logits[:2, 1, :2] = 1.0, 2.0
    parts, _ = found(Segmentation(classes=3), logits, y)
    assert parts["dice_by_image"] == [None, [0.6667, 1.0], None]
    assert parts["mean_dice_by_image"] == [0.6667, 1.0], "an image with nothing to find has none"
    assert found(Segmentation(classes=3), logits * torch.nan, y)[0]["mean_dice_by_image"] is None


def test_a_long_distribution_keeps_its_ends_and_its_quartiles() -> None:
    values = np.random.default_rng(0).random(5001)
    kept = breakdown.thinned(values)
    assert kept is not None
    assert len(kept) == breakdown.IMAGES
    assert (kept[0], kept[-1]) == (round(values.min(), 4), round(values.max(), 4))
    assert np.quantile(kept, [0.25, 0.5]) == pytest.approx(np.quantile(values, [0.25, 0.5]), abs=0.01)


def test_thinning_stays_on_the_curve() -> None:
    p = torch.rand(5000, 1, generator=torch.Generator().manual_seed(1)).double()
    truth = torch.rand(5000, 1, generator=torch.Generator().manual_seed(2)) < p
    o = ClassificationOutputs(p, truth, torch.ones_like(truth))
    (curve,) = breakdown.classified(o, single=False)["thresholds"]
    whole = ranking.curve(p, truth, torch.ones_like(truth))
    kept = {*zip(curve["tp"], curve["fp"], strict=True)}
    assert kept <= {*zip(whole.tp[:, 0].tolist(), whole.fp[:, 0].tolist(), strict=True)}
