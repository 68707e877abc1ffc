"""All outputs of an evaluation of a classification, and what several metrics take from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from fedmed.metrics import ranking


@dataclass(frozen=True)
class ClassificationOutputs:
    """All outputs of an evaluation.

    probabilities: (N, C) float64. truth: (N, C) bool. seen: (N, C) bool, which entries are annotated.
    """

    probabilities: Tensor
    truth: Tensor
    seen: Tensor

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, rows: Tensor) -> ClassificationOutputs:
        return ClassificationOutputs(self.probabilities[rows], self.truth[rows], self.seen[rows])

    @cached_property
    def curve(self) -> ranking.RankingCurve:
        """The ranking of every class against the rest."""
        return ranking.curve(self.probabilities, self.truth, self.seen)

    @property
    def found(self) -> Tensor:
        """(N, C) bool: what is more probable than not; of a multi-label task."""
        return self.probabilities > 0.5

    @cached_property
    def confusion(self) -> Tensor:
        """(C, C) int64 counts, rows truth, columns the most probable class; of a multi-class task."""
        classes = self.truth.shape[1]
        truth, predicted = self.truth.byte().argmax(1), self.probabilities.argmax(1)
        return (truth * classes + predicted).bincount(minlength=classes**2).view(classes, classes)
