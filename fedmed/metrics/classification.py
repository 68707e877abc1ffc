"""Metrics of multi-class and multi-label classification, with scikit-learn's conventions where it has one.

Means are over classes: F1 over those that occur or are predicted (one that is predicted and does not occur has 0, as in
`f1_score(average="macro")`), recall over those that occur (`balanced_accuracy_score`), rankings over those with an
annotated positive and an annotated negative. With two classes the one-vs-rest metrics are those of class 1.
Multi-label accuracy, F1, precision and recall are of findings more probable than not; accuracy is the mean over
findings, as MedMNIST's evaluator has it (Yang et al., Scientific Data 2023, arXiv 2110.14795), and not the share of
images without a mistake.
Probabilities that are not numbers make every metric but the loss undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import nan
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.metrics import ranking
from fedmed.metrics.bootstrap import draws, interval, percentiles
from fedmed.metrics.breakdown import BINS, classified
from fedmed.metrics.outputs import ClassificationOutputs
from fedmed.metrics.scores import Groups, Metric, Scores, Tally, check_known, mean
from fedmed.tasks import Task


def accuracy(o: ClassificationOutputs) -> Tensor:
    """Share of examples whose most probable class is the true one, ()."""
    return o.confusion.diagonal().sum().double() / o.confusion.sum()


def recall(o: ClassificationOutputs) -> Tensor:
    """Recall of every class that occurs, (C,); its mean is the balanced accuracy."""
    return o.confusion.diagonal().double() / o.confusion.sum(1)


def f1(o: ClassificationOutputs) -> Tensor:
    """F1 of every class that occurs or is predicted, (C,)."""
    return 2 * o.confusion.diagonal().double() / (o.confusion.sum(1) + o.confusion.sum(0))


def entry_accuracy(o: ClassificationOutputs) -> Tensor:
    """Accuracy of each finding over its annotated entries, (C,)."""
    return ((o.found == o.truth) & o.seen).sum(0).double() / o.seen.sum(0)


def entry_f1(o: ClassificationOutputs) -> Tensor:
    """F1 of every finding that is annotated present or predicted somewhere, (C,)."""
    hits, found, there = ((each & o.seen).sum(0).double() for each in (o.found & o.truth, o.found, o.truth))
    return 2 * hits / (found + there)


def entry_recall(o: ClassificationOutputs) -> Tensor:
    """Recall of every finding that is annotated present somewhere, (C,)."""
    return _share(o.found & o.truth & o.seen, o.truth & o.seen)


def entry_precision(o: ClassificationOutputs) -> Tensor:
    """Precision of every finding that is predicted somewhere, (C,)."""
    return _share(o.found & o.truth & o.seen, o.found & o.seen)


def entry_balanced_accuracy(o: ClassificationOutputs) -> Tensor:
    """Mean of recall and specificity of every finding that is annotated both present and absent, (C,)."""
    absent = ~o.truth & o.seen
    return (entry_recall(o) + _share(~o.found & absent, absent)) / 2


def hamming_loss(o: ClassificationOutputs) -> Tensor:
    """Share of annotated entries that are predicted wrongly, ()."""
    return ((o.found != o.truth) & o.seen).sum().double() / o.seen.sum()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """How many of `whole` are `part`, by column, (C,); nan where there is none."""
    return part.sum(0).double() / whole.sum(0)


def top_calibration_error(o: ClassificationOutputs) -> Tensor:
    """Expected calibration error of the most probable class, () (Guo et al., ICML 2017, arXiv 1706.04599)."""
    confidence, predicted = o.probabilities.max(1)
    return _calibration_error(confidence, o.truth.gather(1, predicted.unsqueeze(1)).squeeze(1))


def entry_calibration_error(o: ClassificationOutputs) -> Tensor:
    """Expected calibration error of every annotated finding, pooled, ()."""
    return _calibration_error(o.probabilities[o.seen], o.truth[o.seen])


def _calibration_error(p: Tensor, hit: Tensor) -> Tensor:
    # ECE = sum over bins of |sum of (hit - p)| / N
    bins = (p * BINS).ceil().long().sub(1).clamp(0, BINS - 1)
    gaps = torch.zeros(BINS, dtype=p.dtype).index_add(0, bins, hit.to(p.dtype) - p)
    return gaps.abs().sum() / len(p) if len(p) else torch.tensor(nan)


def _one_vs_rest(values: Tensor) -> Tensor:
    """Of two classes only class 1 counts."""
    return torch.stack([torch.full_like(values[0], nan), values[1]]) if len(values) == 2 else values


METRICS: dict[str, dict[str, Callable[[ClassificationOutputs], Tensor]]] = {
    "multiclass": {
        "accuracy": accuracy,
        "balanced_accuracy": recall,
        "auc": lambda o: _one_vs_rest(ranking.auc(o.curve)),
        "f1": f1,
        "auprc": lambda o: _one_vs_rest(ranking.average_precision(o.curve)),
        "sensitivity_at_specificity_95": lambda o: _one_vs_rest(ranking.sensitivity_at_specificity(o.curve, 95)),
        "ece": top_calibration_error,
    },
    "multilabel": {
        "auc": lambda o: ranking.auc(o.curve),
        "map": lambda o: ranking.average_precision(o.curve),
        "accuracy": entry_accuracy,
        "balanced_accuracy": entry_balanced_accuracy,
        "f1": entry_f1,
        "precision": entry_precision,
        "recall": entry_recall,
        "hamming_loss": hamming_loss,
        "sensitivity_at_specificity_95": lambda o: ranking.sensitivity_at_specificity(o.curve, 95),
        "ece": entry_calibration_error,
    },
}
"""Kind of task -> metric -> its value (), or its values per class (C,); nan where undefined."""


RESAMPLED = 2**20
"""How many counts of resampled examples are held at once."""


def _chunks(resamples: Iterator[Tensor], examples: int) -> Iterator[Tensor]:
    """Resamples (N,) many at a time, (R, N)."""
    while some := list(islice(resamples, max(1, RESAMPLED // examples) if examples else 1)):
        yield torch.stack(some)


ONE_VS_REST = frozenset({"auc", "auprc", "sensitivity_at_specificity_95"})


class ClassificationTally(Tally):
    """Keeps all outputs: ranking metrics do not add up over batches."""

    def __init__(self, task: Task, extra: Sequence[Metric]) -> None:
        super().__init__(task)
        self._extra = extra
        self._metrics = METRICS[task.kind]
        self._single = task.kind == "multiclass"
        self._logits = [torch.zeros(0, task.outputs)]
        self._y = [torch.zeros(0, dtype=torch.int64) if self._single else torch.zeros(0, task.classes)]
        self._seen = [torch.zeros(self._y[0].shape, dtype=torch.bool)]

    def add(self, logits: Tensor, y: Tensor, seen: Tensor | None, spacing: Tensor | None = None) -> None:
        self._add_loss(logits, y, seen)
        self._logits.append(logits.detach().float().cpu())
        self._y.append(y.cpu())
        self._seen.append(torch.ones(y.shape, dtype=torch.bool) if seen is None else seen.expand_as(y).cpu())

    def packed(self) -> dict[str, Tensor]:
        kept = {"logits": torch.cat(self._logits), "y": torch.cat(self._y), "seen": torch.cat(self._seen).byte()}
        return super().packed() | kept

    def merge(self, packed: Mapping[str, Tensor]) -> None:
        super().merge(packed)
        self._logits.append(packed["logits"].clone())
        self._y.append(packed["y"].clone())
        self._seen.append(packed["seen"].bool())

    def scores(self) -> Scores:
        o = self._outputs()[0]
        worth = _unless_nan(o)
        parts = {name: metric(o) * worth for name, metric in self._metrics.items()}
        detail = {"confusion": o.confusion.tolist()} if self._single else {}
        own = {name: value * worth for name, value in self._own().items()}
        rests = {name: (_count(part), self._judged(name)) for name, part in parts.items() if part.dim()}
        return self._scores(parts, own, detail, len(o), rests)

    def breakdown(self) -> dict[str, Any]:
        return classified(self._outputs()[0], single=self._single)

    def interval(
        self, metric: str, groups: Groups | None = None, *, seed: int, resamples: int = 1000, level: float = 0.95
    ) -> tuple[float, float]:
        check_known(metric, self._metrics)
        o, rows = self._outputs()
        worth = _unless_nan(o)
        patients = rows.nonzero().squeeze(1) if groups is None else torch.as_tensor(groups)[rows]

        if metric == "auc":
            values = []
            for times in _chunks(draws(patients, seed=seed, resamples=resamples), len(o)):
                parts = ranking.resampled_auc(o.probabilities, o.truth, o.seen, times)
                values += [mean((_one_vs_rest(part) if self._single else part) * worth) for part in parts]
            return percentiles(values, level)

        def statistic(drawn: Tensor) -> float:
            return mean(self._metrics[metric](o[drawn]) * worth)

        return interval(statistic, patients, seed=seed, resamples=resamples, level=level)

    def _outputs(self) -> tuple[ClassificationOutputs, Tensor]:
        """The outputs of the annotated examples, and which of all they are, (N,) bool."""
        probabilities = self.task.probabilities(torch.cat(self._logits).double())
        y, seen = torch.cat(self._y), torch.cat(self._seen)
        if self._single:
            y, seen = F.one_hot(y, self.task.classes), seen.unsqueeze(1).expand_as(probabilities)
        rows = seen.any(1)
        return ClassificationOutputs(probabilities[rows], y[rows].bool(), seen[rows]), rows

    def _judged(self, metric: str) -> int:
        """How many classes the mean is meant to be over: of two, one-vs-rest metrics judge class 1 alone."""
        return 1 if self._single and self.task.classes == 2 and metric in ONE_VS_REST else self.task.classes

    def _own(self) -> dict[str, float]:
        """The metrics of the user; undefined when nothing was added."""
        y, seen = torch.cat(self._y), torch.cat(self._seen)
        p = self.task.probabilities(torch.cat(self._logits))
        mask = None if seen.all() else seen
        return {metric.__name__: float(metric(p, y, mask)) if len(y) else nan for metric in self._extra}


def _count(part: Tensor) -> int:
    return int((~part.isnan()).sum())


def _unless_nan(o: ClassificationOutputs) -> float:
    """1, or nan where a probability is not a number."""
    return nan if o.probabilities.isnan().any() else 1.0
