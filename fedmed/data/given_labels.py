"""The labels of a client as its annotator gave them, and arithmetic of those who draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fedmed.data.examples import Examples, Indices
from fedmed.errors import Fault, UserError, refuse
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, slots=True)
class GivenLabels:
    """The labels of one client as its annotator gave them.

    y, seen: as in `fedmed.data.examples.Examples`; y is 0 where not seen.
    completeness: realised share of the true annotations that are given, in [0, 1]; for audit only.
    """

    y: Tensor
    seen: Tensor | None
    completeness: float


def guessed(own: Examples, rows: Indices, task: Task, seed: int) -> GivenLabels:
    """Labels drawn at random for the rows of the dataset, (N, ...) as the true ones."""
    classes = task.classes if task.kind == "multiclass" else 2
    shape = tuple(own.y.shape[1:])
    drawn = [numpy_generator(seed, "annotation", "guess", int(row)).integers(classes, size=shape) for row in rows]
    y = torch.from_numpy(np.array(drawn).reshape(own.y.shape)).to(own.y.dtype)
    return GivenLabels(y if own.seen is None else y * own.seen, own.seen, share_of(int((y == own.y).sum()), y.numel()))


def some_of(clients: int, chosen: Sequence[int]) -> Sequence[int]:
    """The chosen clients, which there must be: else UserError."""
    if absent := [client for client in chosen if not 0 <= client < clients]:
        raise refuse("annotation.clients", f"clients 0 to {clients - 1}", absent[0])
    return chosen


def per_client(where: str, values: tuple[float, ...], clients: int) -> list[float]:
    """One value per client, from one for all or one each; all in 0..1, else UserError."""
    faults = []
    if len(values) not in (1, clients):
        faults.append(Fault(where, f"1 value or {clients}, one per client", str(len(values))))
    faults += [Fault(where, "values from 0 to 1", str(value)) for value in values if not 0 <= value <= 1]
    if faults:
        raise UserError(*faults)
    return list(values) * (clients if len(values) == 1 else 1)


def share_of(part: int, whole: int, empty: float = 1.0) -> float:
    """The fraction, or `empty` when there is nothing to have a part of."""
    return part / whole if whole else empty
