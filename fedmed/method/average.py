"""The mean of what clients send: the engine's own, and what a method of another mean can start from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fedmed.method.client import Payload
from fedmed.method.server import Report


class WeightedMean:
    """A weighted mean of named tensors that holds one sum, whatever the number of terms.

    sum_k w_k t_k over the terms in the order they are added, then divided by sum_k w_k; integer tensors: the maximum.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._total = 0.0

    def add(self, tensors: Payload, weight: float) -> None:
        """Adds a term; `tensors` may be overwritten by the caller afterwards."""
        if not self._sums:
            self._sums = {n: torch.zeros_like(t) if t.is_floating_point() else t.clone() for n, t in tensors.items()}
        # A sum of floats depends on the order of its terms: every engine gives replies in the order of the clients.
        for name, total in self._sums.items():
            if total.is_floating_point():
                total.add_(tensors[name], alpha=weight)
            else:
                # counters, such as BatchNorm's batches: a mean would be none, and the largest never goes backwards
                torch.maximum(total, tensors[name], out=total)
        self._total += weight

    def result(self) -> dict[str, Tensor]:
        """The mean so far; the sums are used up. Raises `ZeroDivisionError` when all weights are 0."""
        if not self._total:
            raise ZeroDivisionError("the weights of all clients' models are 0")
        return {n: t.div_(self._total) if t.is_floating_point() else t for n, t in self._sums.items()}


def average_of(reports: Sequence[Report], weights: Tensor) -> dict[str, Tensor]:
    """The mean of the reports' models by `weights` (K,), as the engine takes it: integer entries are the maximum."""
    mean = WeightedMean()
    for report, weight in zip(reports, weights.tolist(), strict=True):
        mean.add(report.weights, weight)
    return mean.result()


def largest(reports: Sequence[Report]) -> dict[str, Tensor]:
    """The entries of the reports' models that are whole numbers (BatchNorm's counters), each the largest of all."""
    whole = [n for n, tensor in reports[0].weights.items() if not tensor.is_floating_point()]
    return {n: torch.stack([report.weights[n] for report in reports]).amax(0) for n in whole}
