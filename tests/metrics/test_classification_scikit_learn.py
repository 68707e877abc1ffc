"""Every metric of classification equals scikit-learn's, on random inputs and on those where something is missing."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from fedmed.metrics import Scores, tally
from fedmed.tasks import MultiClass, MultiLabel

CLASSES, COUNT = 5, 60
Case = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def only(*classes: int) -> Case:
    """Those classes occur."""
    return lambda logits, y: (logits, torch.tensor(classes)[y % len(classes)])


def never(*classes: int) -> Case:
    """Those classes are never predicted."""
    return lambda logits, y: (logits.index_fill(1, torch.tensor(classes), -20.0), y)


def both(first: Case, second: Case) -> Case:
    return lambda logits, y: second(*first(logits, y))


CASES: dict[str, Case] = {
    "random": lambda logits, y: (logits, y),
    "ties": lambda logits, y: (logits.round(), y),
    "constant": lambda logits, y: (torch.zeros_like(logits), y),
    "always one class": lambda logits, y: (torch.eye(CLASSES)[torch.full_like(y, 3)] * 9, y),
    "perfect": lambda logits, y: (torch.eye(CLASSES)[y] * 9, y),
    "all wrong": lambda logits, y: (torch.eye(CLASSES)[(y + 1) % CLASSES] * 9, y),
    "two classes absent": only(0, 1, 3),
    "one class occurs": only(2),
    "one class is absent and none predicts it": both(only(0, 1, 2, 3), never(4)),
    "a class is never predicted": never(0),
    "one image": lambda logits, y: (logits[:1], y[:1]),
    "two images": lambda logits, y: (logits[:2], torch.tensor([0, 1])),
}


def of(function: Callable[..., float], *given: object, **options: object) -> float:
    """scikit-learn's value without its warnings about classes that are missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(function(*given, **options))


def ranked(function: Callable[..., float], truth: np.ndarray, score: np.ndarray) -> list[float]:
    """Of every column with a positive and a negative; the others are undefined, which scikit-learn warns of."""
    columns = [c for c in range(truth.shape[1]) if 0 < truth[:, c].sum() < len(truth)]
    return [of(function, truth[:, c], score[:, c]) for c in columns]


def sensitivity(truth: np.ndarray, score: np.ndarray) -> float:
    fpr, tpr, _ = sk.roc_curve(truth, score, drop_intermediate=False)
    return float(tpr[fpr <= 0.05 + 1e-12].max())


def equal(scores: Scores, expected: dict[str, float | list[float]]) -> None:
    """Values as expected; an empty list stands for one that is undefined, and its length for what a mean rests on."""
    for name, value in expected.items():
        if value == []:
            assert name in scores.undefined
        else:
            assert scores.values[name] == pytest.approx(np.mean(value), abs=1e-6), name
        if isinstance(value, list):
            assert scores.defined[name] == len(value), name
            assert scores.flat().get(f"{name}.defined", scores.of[name]) in (len(value), scores.of[name])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_multiclass(case: str, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits, y = CASES[case](torch.randn(COUNT, CLASSES, generator=g), torch.randint(CLASSES, (COUNT,), generator=g))
    into = tally(MultiClass(classes=CLASSES))
    into.add(logits, y, None)
    p, guess, onehot = logits.double().softmax(1).numpy(), logits.argmax(1), np.eye(CLASSES)[y.numpy()]
    scores = into.scores()
    expected: dict[str, float | list[float]] = {
        "accuracy": of(sk.accuracy_score, y, guess),
        "balanced_accuracy": of(sk.balanced_accuracy_score, y, guess),
        "f1": of(sk.f1_score, y, guess, average="macro"),
        "auc": ranked(sk.roc_auc_score, onehot, p),
        "auprc": ranked(sk.average_precision_score, onehot, p),
        "sensitivity_at_specificity_95": ranked(sensitivity, onehot, p),
    }
    equal(scores, expected)
    assert {*scores.values, *scores.undefined} == {*expected, "loss", "ece"}
    assert scores.defined["f1"] == len({*y.tolist(), *guess.tolist()})
    assert scores.defined["balanced_accuracy"] == len(set(y.tolist()))


LABELS = 4
ENTRIES: dict[str, Case] = {
    "random": lambda logits, y: (logits, y),
    "ties": lambda logits, y: (logits.round(), y),
    "nothing found": lambda logits, y: (logits - 20, y),
    "everything found": lambda logits, y: (logits + 20, y),
    "nothing there": lambda logits, y: (logits, y * 0),
    "nothing there and nothing found": lambda logits, y: (logits - 20, y * 0),
    "one finding nobody has": lambda logits, y: (logits, y * torch.tensor([1, 1, 0, 1])),
    "one finding everybody has": lambda logits, y: (logits, y.index_fill(1, torch.tensor(1), 1.0)),
    "on the threshold": lambda logits, y: (logits * 0, y),
    "one image": lambda logits, y: (logits[:1], y[:1]),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("annotated", [1.0, 0.6])
@pytest.mark.parametrize("case", ENTRIES)
def test_multilabel(case: str, annotated: float, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    y = (torch.rand(COUNT, LABELS, generator=g) < 0.3).float()
    logits, y = ENTRIES[case](torch.randn(COUNT, LABELS, generator=g) + y, y)
    seen = torch.rand(y.shape, generator=g) < annotated
    into = tally(MultiLabel(classes=LABELS))
    into.add(logits, y, None if annotated == 1 else seen)
    columns = [(y[seen[:, c], c].numpy(), logits[seen[:, c], c].double().sigmoid().numpy()) for c in range(LABELS)]
    columns = [(truth, score) for truth, score in columns if len(truth)]
    two = [pair for pair in columns if 0 < pair[0].sum() < len(pair[0])]
    f1, precision, recall = (
        [
            value
            for truth, score in columns
            if not np.isnan(value := of(metric, truth, score > 0.5, zero_division=np.nan))
        ]
        for metric in (sk.f1_score, sk.precision_score, sk.recall_score)
    )
    truths, scored = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    expected: dict[str, float | list[float]] = {
        "accuracy": [of(sk.accuracy_score, truth, score > 0.5) for truth, score in columns],
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "balanced_accuracy": [of(sk.balanced_accuracy_score, truth, score > 0.5) for truth, score in two],
        "hamming_loss": of(sk.hamming_loss, truths, scored > 0.5),
        "auc": [of(sk.roc_auc_score, *pair) for pair in two],
        "map": [of(sk.average_precision_score, *pair) for pair in two],
        "sensitivity_at_specificity_95": [sensitivity(*pair) for pair in two],
    }
    scores = into.scores()
    equal(scores, expected)
    assert {*scores.values, *scores.undefined} == {*expected, "loss", "ece"}
    if annotated == 1:
        found = logits.double().sigmoid() > 0.5
        assert scores.values["accuracy"] == pytest.approx(1 - of(sk.hamming_loss, y, found))
        if len(expected["f1"]) == LABELS:  # type: ignore[arg-type]
            assert scores.values["f1"] == pytest.approx(of(sk.f1_score, y, found, average="macro"))
