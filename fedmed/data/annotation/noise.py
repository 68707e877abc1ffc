"""Labels that are wrong at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fedmed.data.annotation.contract import Annotation
from fedmed.data.examples import Examples, Indices
from fedmed.data.given_labels import GivenLabels, per_client, share_of
from fedmed.errors import refuse
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class LabelNoiseAnnotation(Annotation):
    """Some labels are wrong, at a rate of each client's own.

    rate: probability that a label is wrong, one value for all or one per client (0 to 1, 0: none; null: 0.2).
    kind: symmetric (any other class; in multi-label tasks each finding flips) or pairwise (the next class; Han et al.
       2018, arXiv 1804.06872; multi-class only).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    rate: tuple[float, ...] | None = None
    kind: Literal["symmetric", "pairwise"] = "symmetric"

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        if self.kind == "pairwise" and task.kind == "multilabel":
            raise refuse("annotation.kind", "symmetric for a multilabel task", self.kind)
        rates = per_client("annotation.rate", self.rate or (0.2,), len(held))
        last = max((int(own.max(initial=-1)) for own in rows), default=-1)
        shape = (last + 1, *held[0].y.shape[1:])  # one draw per row of the dataset, whoever holds it
        draw = numpy_generator(seed, "annotation", "wrong").random(shape)
        other = numpy_generator(seed, "annotation", "other").random(shape)
        return [
            self._confuse(client, torch.from_numpy(draw[own] < rate), torch.from_numpy(other[own]), task)
            for client, own, rate in zip(held, rows, rates, strict=True)
        ]

    def _confuse(self, client: Examples, wrong: Tensor, other: Tensor, task: Task) -> GivenLabels:
        known = torch.ones_like(wrong) if client.seen is None else client.seen.expand_as(wrong)
        wrong = wrong & known
        if task.kind == "multilabel":
            false = 1 - client.y
        else:
            step = 1 if self.kind == "pairwise" else 1 + (other * (task.classes - 1)).long()
            false = (client.y + step) % task.classes
        y = torch.where(wrong, false, client.y)
        return GivenLabels(y, client.seen, 1.0 - share_of(int((y != client.y).sum()), int(known.sum()), empty=0.0))
