"""Against scikit-learn, column by column, with ties, masks and missing classes."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch import Tensor

from fedmed.metrics.ranking import auc, average_precision, curve, sensitivity_at_specificity

COLUMNS = 6


def data(seed: int, *, ties: bool, count: int = 80) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    score = torch.rand(count, COLUMNS, generator=g, dtype=torch.float64)
    if ties:
        score = (score * 5).round() / 5
    truth = torch.rand(count, COLUMNS, generator=g) < 0.3
    seen = torch.rand(count, COLUMNS, generator=g) < 0.8
    return score, truth, seen


def columns(score: Tensor, truth: Tensor, seen: Tensor) -> list[tuple[list[bool], list[float]]]:
    return [(truth[seen[:, c], c].tolist(), score[seen[:, c], c].tolist()) for c in range(COLUMNS)]


def best_sensitivity(y: list[bool], p: list[float]) -> float:
    fpr, tpr, _ = roc_curve(y, p, drop_intermediate=False)
    return float(max(t for f, t in zip(fpr, tpr, strict=True) if 1 - f >= 0.95))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_equal_to_scikit_learn(seed: int, ties: bool) -> None:
    examples = data(seed, ties=ties)
    c = curve(*examples)
    for values, oracle in (
        (auc(c), roc_auc_score),
        (average_precision(c), average_precision_score),
        (sensitivity_at_specificity(c, 95), best_sensitivity),
    ):
        assert values.tolist() == pytest.approx([oracle(y, p) for y, p in columns(*examples)], abs=1e-12)


def test_a_constant_score_is_chance() -> None:
    _, truth, seen = data(0, ties=False)
    c = curve(torch.zeros(truth.shape), truth, seen)
    assert auc(c).tolist() == [0.5] * COLUMNS
    assert sensitivity_at_specificity(c, 95).tolist() == [0.0] * COLUMNS
    assert average_precision(c).tolist() == pytest.approx([sum(y) / len(y) for y, _ in columns(truth, truth, seen)])


def test_a_column_without_positives_or_negatives_is_undefined() -> None:
    score, truth, seen = data(1, ties=True)
    truth[:, 0], truth[:, 1], seen[:, 2] = False, True, False
    truth[:, 3] = ~seen[:, 3]  # positives only where nobody looked
    c = curve(score, truth, seen)
    for values in (auc(c), average_precision(c), sensitivity_at_specificity(c, 95)):
        assert values.isnan().tolist() == [True] * 4 + [False] * 2


def test_one_false_positive_in_twenty_negatives_is_still_a_specificity_of_95() -> None:
    truth = torch.tensor([False, True] + [False] * 19).unsqueeze(1)
    score = torch.arange(len(truth), 0, -1.0).unsqueeze(1)
    c = curve(score, truth, torch.ones_like(truth))
    assert sensitivity_at_specificity(c, 95).item() == 1
    assert sensitivity_at_specificity(c, 96).item() == 0


def test_no_examples() -> None:
    none = torch.zeros(0, 3)
    c = curve(none, none.bool(), none.bool())
    for values in (auc(c), average_precision(c), sensitivity_at_specificity(c, 95)):
        assert values.shape == (3,)
        assert values.isnan().all()
