"""Server optimizers: how the server steps from the old weights along the change that the clients' average asks for.

Momentum: Hsu, Qi, Brown: Measuring the Effects of Non-Identical Data Distribution for Federated Visual Classification.
2019, arXiv 1909.06335. Adagrad, Adam, Yogi: Reddi et al.: Adaptive Federated Optimization. ICLR 2021, arXiv 2003.00295,
algorithm 2, without bias correction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt, Interval
from torch import Tensor

from fedmed.method import Payload, State
from fedmed.options.base import Options

Memory = dict[str, State]


@dataclass(frozen=True, kw_only=True)
class ServerOptimizer(Options, ABC):
    """How the server moves from the old shared weights to the average."""

    @abstractmethod
    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        """The new shared weights; entries outside `parameters` (BatchNorm buffers) are the plain mean.

        memory: changed in place; survives rounds and restarts, empty at first.
        """


@dataclass(frozen=True, kw_only=True)
class AverageServerOptimizer(ServerOptimizer):
    """The average itself, or a step of length lr towards it.

    lr: step length (> 0; 1 takes the average).
    """

    lr: Annotated[float, Gt(0)] = 1.0

    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        if self.lr == 1:
            return mean
        # w + lr (mean - w)
        return {n: torch.lerp(old[n], new, self.lr) if n in parameters else new for n, new in mean.items()}


@dataclass(frozen=True, kw_only=True)
class MomentumServerOptimizer(ServerOptimizer):
    """FedAvgM: a step along the sum of all changes so far, older ones fading.

    lr: step length (> 0).
    momentum: what stays of the former sum (0 to below 1; 0: average).
    """

    lr: Annotated[float, Gt(0)] = 1.0
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9

    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        if not self.momentum:
            return AverageServerOptimizer(lr=self.lr).step(old, mean, parameters, memory)
        sums, new = memory.setdefault("sum", {}), dict(mean)
        for name in sorted(parameters & mean.keys()):
            delta = mean[name] - old[name]  # new memory, written below: `mean` and the remembered sum stay as they are
            # v <- beta v + delta;  w <- w + lr v
            sums[name] = delta.add_(sums[name], alpha=self.momentum) if name in sums else delta
            new[name] = old[name] + self.lr * sums[name]
        return new


@dataclass(frozen=True, kw_only=True)
class AdagradServerOptimizer(ServerOptimizer):
    """FedAdagrad: every weight steps by its change over the root of the sum of all its squared changes.

    lr: step length (> 0).
    momentum: what stays of the mean change (0 to below 1).
    tau: added to the root (> 0; large: less adaptive).
    """

    lr: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    tau: Annotated[float, Gt(0)] = 0.001

    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        # v <- v + delta^2
        return _adaptive(self, old, mean, parameters, memory, lambda v, square: v + square)


@dataclass(frozen=True, kw_only=True)
class AdamServerOptimizer(ServerOptimizer):
    """FedAdam: every weight steps by its mean change over the root of its mean squared change.

    lr: step length (> 0).
    momentum: what stays of the mean change (0 to below 1; beta 1).
    decay: what stays of the mean squared change (0 to below 1; beta 2).
    tau: added to the root (> 0; large: less adaptive).
    """

    lr: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    decay: Annotated[float, Interval(ge=0, lt=1)] = 0.99
    tau: Annotated[float, Gt(0)] = 0.001

    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        # v <- beta2 v + (1 - beta2) delta^2
        return _adaptive(self, old, mean, parameters, memory, lambda v, square: torch.lerp(square, v, self.decay))


@dataclass(frozen=True, kw_only=True)
class YogiServerOptimizer(ServerOptimizer):
    """FedYogi: FedAdam whose mean squared change moves by bounded steps.

    lr: step length (> 0).
    momentum: what stays of the mean change (0 to below 1; beta 1).
    decay: one minus the step of the mean squared change (0 to below 1; beta 2).
    tau: added to the root (> 0; large: less adaptive).
    """

    lr: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    decay: Annotated[float, Interval(ge=0, lt=1)] = 0.99
    tau: Annotated[float, Gt(0)] = 0.001

    def step(self, old: Payload, mean: Payload, parameters: frozenset[str], memory: Memory) -> Payload:
        # v <- v - (1 - beta2) delta^2 sign(v - delta^2)
        def second(v: Tensor, square: Tensor) -> Tensor:
            return v - (1 - self.decay) * square * (v - square).sign()

        return _adaptive(self, old, mean, parameters, memory, second)


def _adaptive(
    chosen: AdagradServerOptimizer | AdamServerOptimizer | YogiServerOptimizer,
    old: Payload,
    mean: Payload,
    parameters: frozenset[str],
    memory: Memory,
    second: Callable[[Tensor, Tensor], Tensor],
) -> Payload:
    """A step over the root of the second moment; second: the new moment from the old one and the squared change."""
    first, moments, new = memory.setdefault("first", {}), memory.setdefault("second", {}), dict(mean)
    for name in sorted(parameters & mean.keys()):
        delta = mean[name] - old[name]
        m = first.get(name, torch.zeros_like(delta))
        v = moments.get(name, torch.full_like(delta, chosen.tau**2))
        # m <- beta1 m + (1 - beta1) delta;  w <- w + lr m / (sqrt(v) + tau)
        first[name], moments[name] = torch.lerp(delta, m, chosen.momentum), second(v, delta.square())
        new[name] = old[name] + chosen.lr * first[name] / (moments[name].sqrt() + chosen.tau)
    return new
