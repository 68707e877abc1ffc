"""What an evaluation gives, and the contract of what adds it up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.errors import near, refuse
from fedmed.metric_direction import FOUND_ONLY
from fedmed.tasks import Task

Metric = Callable[[Tensor, Tensor, Tensor | None], float]
"""A metric of the user: (probabilities, y, seen) of the whole evaluation -> its value; named by `__name__`."""

Groups = Tensor | NDArray[np.int64]
"""(N,) the patient of each example, in the order in which they were added."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The metrics of one set of examples.

    values: metric -> value; a metric that is undefined on these examples is absent. Only `loss` may be nan.
    defined, of: metric -> on how many classes its mean rests, and of how many; for those that are means over classes.
        For distances between surfaces: masks, of those that are in the truth or in the prediction.
    undefined: names of the metrics without a value.
    detail: values per class (null where undefined, one entry per class) and the confusion matrix, ready for JSON.
    examples: how many annotated examples it all rests on.
    """

    values: Mapping[str, float]
    defined: Mapping[str, int]
    of: Mapping[str, int]
    undefined: tuple[str, ...]
    detail: Mapping[str, list[Any]]
    examples: int

    def flat(self) -> dict[str, float]:
        """The values, and where a mean does not rest on all `<metric>.defined` and `.of`; of `FOUND_ONLY` always."""
        counts = dict(self.values)
        for metric, defined in self.defined.items():
            if metric in FOUND_ONLY or (metric in self.values and defined < self.of[metric]):
                counts |= {f"{metric}.defined": defined, f"{metric}.of": self.of[metric]}
        return counts


class Tally(ABC):
    """Adds up one evaluation of one set of examples, batch by batch; call it under `torch.no_grad`."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._loss, self._entries = 0.0, 0

    @abstractmethod
    def add(self, logits: Tensor, y: Tensor, seen: Tensor | None, spacing: Tensor | None = None) -> None:
        """Takes in one batch; logits (B, C, ...), the rest as in `fedmed.data.examples.Examples`."""

    @abstractmethod
    def scores(self) -> Scores:
        """The metrics of all that was added."""

    @abstractmethod
    def breakdown(self) -> dict[str, Any]:
        """What curves, matrices and distributions are drawn from, ready for JSON and bounded in size."""

    @abstractmethod
    def interval(
        self, metric: str, groups: Groups | None = None, *, seed: int, resamples: int = 1000, level: float = 0.95
    ) -> tuple[float, float]:
        """Bootstrap confidence interval of a metric, by patient where `groups` is given; (nan, nan) where undefined.

        Raises UserError for a metric that cannot be recomputed on a resample: the loss and the user's own.
        """

    def packed(self) -> dict[str, Tensor]:
        """What was added, as tensors that `merge` takes in elsewhere; of segmentations counts per image, no maps."""
        return {"loss": torch.tensor([self._loss, self._entries], dtype=torch.float64)}

    def carried(self) -> dict[str, Tensor]:
        """All that was added, for `merge` in a process of the same machine: of segmentations maps and distances too."""
        return self.packed()

    def merge(self, packed: Mapping[str, Tensor]) -> None:
        """Takes in what another tally was given; the tensors are copied."""
        loss, entries = packed["loss"].tolist()
        self._loss, self._entries = self._loss + loss, self._entries + int(entries)

    @property
    def loss(self) -> float:
        """Mean of the batch losses, weighted by their annotated entries; nan when there is none."""
        return self._loss / self._entries if self._entries else nan

    def _add_loss(self, logits: Tensor, y: Tensor, seen: Tensor | None) -> None:
        entries = y.numel() if seen is None else int(seen.expand_as(y).sum())
        if entries:
            self._loss += self.task.loss(logits, y, seen).item() * entries
            self._entries += entries

    def _scores(
        self,
        parts: Mapping[str, Tensor],
        own: Mapping[str, float],
        detail: dict[str, list[Any]],
        examples: int,
        rests: Mapping[str, tuple[int, int]],
    ) -> Scores:
        """Scores from tensors: () a value, (C,) values per class; nan is undefined. rests: metric -> defined, of."""
        values = {name: mean(part) for name, part in parts.items()} | dict(own)
        undefined = tuple(name for name, value in values.items() if not isfinite(value))
        if self._entries:
            values = {"loss": self.loss, **values}
        else:
            undefined = ("loss", *undefined)
        classwise = {name: part for name, part in parts.items() if part.dim()}
        return Scores(
            values={name: value for name, value in values.items() if name not in undefined},
            defined={name: defined for name, (defined, _) in rests.items()},
            of={name: of for name, (_, of) in rests.items()},
            undefined=undefined,
            detail={f"{name}_per_class": nullable(part) for name, part in classwise.items()} | detail,
            examples=examples,
        )


def mean(part: Tensor) -> float:
    """Mean of the defined entries, nan when there is none."""
    return float(part.nanmean())


def nullable(part: Tensor) -> list[float | None]:
    """The entries of a vector, None where undefined."""
    return [None if isnan(value) else value for value in part.tolist()]


def check_known(metric: str, known: Collection[str]) -> None:
    """Refuses an interval of a metric that is not among `known`."""
    if metric not in known:
        raise refuse("metric", "one that can be recomputed on a resample", metric, near(metric, known))
