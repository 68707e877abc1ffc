"""Clients that differ from others in kind: another label convention, or nothing to give but labels at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from fedmed.data.annotation.contract import Annotation
from fedmed.data.examples import Examples, Indices
from fedmed.data.given_labels import GivenLabels, guessed, some_of
from fedmed.errors import refuse
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class RelabelledAnnotation(Annotation):
    """Some clients have another label convention: what others call class c, they call permutation[c], in tests too.

    clients: those with the other convention (null: the second half).
    permutation: their name of every class (null: the next class).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass"})

    clients: tuple[int, ...] | None = None
    permutation: tuple[int, ...] | None = None

    def convention(self, y: Tensor, client: int, clients: int, task: Task) -> Tensor:
        usual = (*range(1, task.classes), 0)
        permutation = usual if self.permutation is None else self.permutation
        if sorted(permutation) != [*range(task.classes)]:
            expected = f"the classes 0 to {task.classes - 1}, each once"
            raise refuse("annotation.permutation", expected, list(permutation))
        return torch.tensor(permutation, dtype=y.dtype)[y.long()] if client in self._those(clients) else y

    def distinction(self, client: int, clients: int) -> str:
        return "relabelled" if client in self._those(clients) else ""

    def _those(self, clients: int) -> Sequence[int]:
        return some_of(clients, range(clients // 2, clients) if self.clients is None else self.clients)


@dataclass(frozen=True, kw_only=True)
class FreeRiderAnnotation(Annotation):
    """Some clients have few images and labels drawn at random: they can only take. Their test labels are true.

    clients: who they are (null: the last).
    share: share of its training images that such a client has, at least one (above 0 to 1).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    clients: tuple[int, ...] | None = None
    share: Annotated[float, Interval(gt=0, le=1)] = 0.05

    def held(self, rows: Indices, client: int, clients: int, seed: int) -> Indices:
        if not self.distinction(client, clients) or not len(rows):
            return rows
        draw = numpy_generator(seed if self.seed is None else self.seed, "annotation", "held", client)
        return np.sort(draw.permutation(np.sort(rows))[: max(1, round(self.share * len(rows)))])

    def distinction(self, client: int, clients: int) -> str:
        those = some_of(clients, (clients - 1,) if self.clients is None else self.clients)
        return "free rider" if client in those else ""

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        return [
            guessed(own, rows[k], task, seed) if self.distinction(k, len(held)) else GivenLabels(own.y, own.seen, 1.0)
            for k, own in enumerate(held)
        ]
