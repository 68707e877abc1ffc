from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from fedmed.errors import UserError
from fedmed.metrics import Scores, Tally, tally
from fedmed.tasks import MultiClass, MultiLabel

FIVE = MultiClass(classes=5)
LABELS = MultiLabel(classes=4)


def multiclass(seed: int, *, classes: int = 5, count: int = 200, ties: bool = False) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (count,), generator=g)
    logits = torch.randn(count, classes, generator=g) + torch.nn.functional.one_hot(y, classes)
    return (logits.round() if ties else logits), y


def multilabel(seed: int, count: int = 120) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    y = (torch.rand(count, 4, generator=g) < 0.3).float()
    logits = (torch.randn(count, 4, generator=g) + y) * 2
    return logits.round(), y, torch.rand(count, 4, generator=g) < 0.7


def batched(into: Tally, logits: Tensor, y: Tensor, seen: Tensor | None = None, size: int = 32) -> Scores:
    for i in range(0, len(y), size):
        into.add(logits[i : i + size], y[i : i + size], None if seen is None else seen[i : i + size])
    return into.scores()


def calibration_error(p: np.ndarray, hit: np.ndarray) -> float:
    """The definition, bin by bin: (lower, upper]."""
    edges, total = np.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        inside = (p > low) & (p <= high)
        if inside.any():
            total += inside.mean() * abs(hit[inside].mean() - p[inside].mean())
    return total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
def test_multiclass_equals_scikit_learn(seed: int, ties: bool) -> None:
    logits, y = multiclass(seed, ties=ties)
    p, guess = logits.double().softmax(1).numpy(), logits.argmax(1)
    onehot = np.eye(5)[y]
    scores = batched(tally(FIVE), logits, y)
    expected = {
        "loss": torch.nn.functional.cross_entropy(logits, y).item(),
        "accuracy": sk.accuracy_score(y, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess),
        "auc": sk.roc_auc_score(y, p, multi_class="ovr"),
        "f1": sk.f1_score(y, guess, average="macro"),
        "auprc": sk.average_precision_score(onehot, p),
        "ece": calibration_error(p.max(1), (guess == y).numpy()),
    }
    assert {name: scores.values[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert set(scores.values) == {*expected, "sensitivity_at_specificity_95"}
    assert scores.detail["confusion"] == sk.confusion_matrix(y, guess).tolist()
    aucs = [sk.roc_auc_score(onehot[:, c], p[:, c]) for c in range(5)]
    assert scores.detail["auc_per_class"] == pytest.approx(aucs, abs=1e-9)


def test_two_classes_are_judged_by_class_1() -> None:
    logits, y = multiclass(0, classes=2)
    scores = batched(tally(MultiClass(classes=2)), logits, y)
    p = logits.double().softmax(1)[:, 1]
    assert scores.values["auc"] == pytest.approx(sk.roc_auc_score(y, p), abs=1e-9)
    assert scores.values["auprc"] == pytest.approx(sk.average_precision_score(y, p), abs=1e-9)
    assert scores.defined["auprc"] == scores.of["auprc"] == 1
    assert scores.of["f1"] == 2
    assert scores.flat() == scores.values
    assert scores.detail["auprc_per_class"][0] is None


def test_classes_that_do_not_occur_are_left_out_and_counted() -> None:
    logits, y = multiclass(1)
    kept = (y != 2) & (y != 4)
    logits, y = logits[kept], y[kept]
    scores = batched(tally(FIVE), logits, y)
    p, present = logits.double().softmax(1), [0, 1, 3]
    assert scores.values["auc"] == pytest.approx(
        np.mean([sk.roc_auc_score(y == c, p[:, c]) for c in present]), abs=1e-9
    )
    f1 = sk.f1_score(y, logits.argmax(1), average="macro")  # those that are predicted count, with 0
    assert scores.values["f1"] == pytest.approx(f1, abs=1e-9)
    assert scores.defined["f1"] == 5
    assert {n for name, n in scores.defined.items() if name != "f1"} == {3}
    flat = scores.flat()
    assert (flat["auc.defined"], flat["auc.of"]) == (3, 5)
    assert "f1.defined" not in flat
    assert [c for c in range(5) if scores.detail["auc_per_class"][c] is None] == [2, 4]


def test_one_class_alone_has_no_auc() -> None:
    logits, _ = multiclass(2, count=10)
    scores = batched(tally(FIVE), logits, torch.zeros(10, dtype=torch.int64))
    assert {"auc", "auprc", "sensitivity_at_specificity_95"} == set(scores.undefined)
    assert "auc" not in scores.values
    assert scores.defined["auc"] == 0
    assert {"loss", "accuracy", "f1", "ece"} <= set(scores.values)


@pytest.mark.parametrize("seed", range(3))
def test_multilabel_equals_scikit_learn_on_annotated_entries(seed: int) -> None:
    logits, y, seen = multilabel(seed)
    scores = batched(tally(LABELS), logits, y, seen)
    p = logits.double().sigmoid()
    columns = [(y[seen[:, c], c], p[seen[:, c], c]) for c in range(4)]
    entries = torch.nn.functional.binary_cross_entropy_with_logits(logits[seen], y[seen])
    expected = {
        "loss": entries.item(),
        "auc": np.mean([sk.roc_auc_score(*column) for column in columns]),
        "map": np.mean([sk.average_precision_score(*column) for column in columns]),
        "accuracy": np.mean([sk.accuracy_score(truth, score > 0.5) for truth, score in columns]),
        "f1": np.mean([sk.f1_score(truth, score > 0.5) for truth, score in columns]),
        "ece": calibration_error(p[seen].numpy(), y[seen].numpy()),
        "balanced_accuracy": np.mean([sk.balanced_accuracy_score(truth, score > 0.5) for truth, score in columns]),
        "precision": np.mean([sk.precision_score(truth, score > 0.5) for truth, score in columns]),
        "recall": np.mean([sk.recall_score(truth, score > 0.5) for truth, score in columns]),
        "hamming_loss": ((p > 0.5) != (y > 0))[seen].double().mean().item(),
    }
    assert {name: scores.values[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert set(scores.values) == {*expected, "sensitivity_at_specificity_95"}
    assert scores.examples == int(seen.any(1).sum())


def test_a_finding_that_nobody_has_is_left_out() -> None:
    logits, y, seen = multilabel(0)
    y[:, 1] = 0
    scores = batched(tally(LABELS), logits, y, seen)
    assert scores.defined["auc"] == scores.defined["map"] == 3
    assert scores.detail["auc_per_class"][1] is None


def test_examples_without_annotation_do_not_count() -> None:
    logits, y = multiclass(3)
    seen = torch.arange(len(y)) % 3 > 0
    hidden = torch.where(seen, y, 0)
    scores, subset = batched(tally(FIVE), logits, hidden, seen), batched(tally(FIVE), logits[seen], y[seen])
    assert scores.values == pytest.approx(subset.values, abs=1e-6)
    assert scores.examples == subset.examples == int(seen.sum())


def test_the_batch_size_changes_nothing() -> None:
    logits, y, seen = multilabel(4)
    small, whole = (batched(tally(LABELS), logits, y, seen, size) for size in (1, 120))
    assert small.values == pytest.approx(whole.values, abs=1e-6)
    assert small.detail == whole.detail


def test_one_batch_may_be_complete_and_the_next_not() -> None:
    logits, y, seen = multilabel(5)
    into = tally(LABELS)
    into.add(logits[:60], y[:60], None)
    into.add(logits[60:], y[60:], seen[60:])
    expected = batched(tally(LABELS), logits, y, torch.cat([torch.ones(60, 4, dtype=torch.bool), seen[60:]]))
    assert into.scores().values == pytest.approx(expected.values, abs=1e-6)


@pytest.mark.parametrize("task", [FIVE, LABELS])
def test_nothing_annotated_is_all_undefined(task: MultiClass | MultiLabel) -> None:
    y = torch.zeros(3, dtype=torch.int64) if task is FIVE else torch.zeros(3, 4)
    into = tally(task)
    assert into.scores().values == {}
    into.add(torch.randn(3, task.classes), y, torch.zeros_like(y, dtype=torch.bool))
    scores = into.scores()
    assert scores.values == {}
    assert scores.examples == 0
    assert "loss" in scores.undefined
    assert "auc" in scores.undefined


def test_nan_logits_give_a_nan_loss_and_no_other_value() -> None:
    logits, y = multiclass(5)
    logits[7, 2] = torch.nan
    scores = batched(tally(FIVE, extra=[first_probability]), logits, y)
    assert list(scores.values) == ["loss"]
    assert math.isnan(scores.values["loss"])
    assert {"accuracy", "auc", "first_probability"} <= set(scores.undefined)
    assert math.isnan(tally_of(logits, y).interval("accuracy", seed=0, resamples=3)[0])


def test_far_logits_are_ranked_apart() -> None:
    logits = torch.tensor([[0.0, 20.0], [0.0, 30.0], [0.0, 25.0]])
    scores = batched(tally(MultiLabel(classes=2)), logits, torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
    assert scores.detail["auc_per_class"] == [0.5, 1.0]


def first_probability(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    assert len(p) == len(y)
    return p[0, 0].item()


def missing_share(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    return 0.0 if seen is None else 1 - seen.float().mean().item()


def test_metrics_of_the_user_see_all_outputs_once() -> None:
    logits, y, seen = multilabel(6)
    scores = batched(tally(LABELS, extra=[first_probability, missing_share]), logits, y, seen)
    assert scores.values["first_probability"] == pytest.approx(logits[0, 0].sigmoid().item())
    assert scores.values["missing_share"] == pytest.approx(1 - seen.float().mean().item())
    assert batched(tally(LABELS, extra=[missing_share]), logits, y).values["missing_share"] == 0


def test_a_metric_of_the_user_without_a_value_is_undefined() -> None:
    logits, y = multiclass(0)

    def hopeless(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
        return math.nan

    assert batched(tally(FIVE, extra=[hopeless]), logits, y).undefined == ("hopeless",)


def test_values_are_plain_and_details_are_json() -> None:
    for scores in (batched(tally(FIVE), *multiclass(0)), batched(tally(LABELS), *multilabel(0))):
        assert {type(value) for value in scores.values.values()} == {float}
        assert {type(value) for value in scores.defined.values()} == {int}
        json.dumps(dict(scores.detail), allow_nan=False)


def tally_of(logits: Tensor, y: Tensor, seen: Tensor | None = None) -> Tally:
    into = tally(FIVE)
    into.add(logits, y, seen)
    return into


def test_an_interval_holds_the_value_and_shrinks_with_more_examples() -> None:
    widths = []
    for count in (100, 900):
        into = tally_of(*multiclass(0, count=count))
        low, high = into.interval("auc", seed=0, resamples=100)
        assert low < into.scores().values["auc"] < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]


def test_images_of_one_patient_are_drawn_together() -> None:
    logits, y = multiclass(0, count=60)
    copies = tally_of(logits.repeat(9, 1), y.repeat(9))
    patients = torch.arange(60).repeat(9)
    single, apart, together = (
        tally_of(logits, y).interval("accuracy", seed=0, resamples=300),
        copies.interval("accuracy", seed=0, resamples=300),
        copies.interval("accuracy", patients.numpy(), seed=0, resamples=300),
    )
    assert together == pytest.approx(single, abs=1e-9)  # copies of an image are no new evidence
    assert apart[1] - apart[0] < 0.5 * (together[1] - together[0])


def test_an_interval_leaves_out_what_is_not_annotated() -> None:
    logits, y = multiclass(1, count=60)
    seen = torch.arange(60) < 30
    whole = tally_of(logits, y, seen).interval("f1", torch.arange(60), seed=0, resamples=50)
    assert whole == tally_of(logits[:30], y[:30]).interval("f1", seed=0, resamples=50)


def test_no_interval_for_what_cannot_be_recomputed() -> None:
    with pytest.raises(UserError, match=r"can be recomputed on a resample, got acuracy\. Did you mean accuracy"):
        tally_of(*multiclass(0)).interval("acuracy", seed=0)
    with pytest.raises(UserError, match="got loss"):
        tally_of(*multiclass(0)).interval("loss", seed=0)


def test_an_interval_of_nothing_is_undefined() -> None:
    assert all(math.isnan(bound) for bound in tally(FIVE).interval("auc", seed=0))
