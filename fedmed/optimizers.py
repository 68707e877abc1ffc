"""Local optimizers, their schedule over rounds, and their memory between rounds.

They step by torch's own functions, with the bits of torch's optimizer classes. Those classes import torch's compiler
when the first is made, which takes a second of every process's start.

Adam: Kingma, Ba. ICLR 2015, arXiv 1412.6980. AdamW: Loshchilov, Hutter. ICLR 2019, arXiv 1711.05101.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from fedmed.options.base import Options


@dataclass(frozen=True, kw_only=True)
class Optimizer(Options):
    """How clients minimise their loss; one setting for every method of a comparison.

    name: sgd, adam or adamw.
    lr: learning rate of the first round (> 0).
    momentum: of sgd (0 to below 1; 0: none).
    weight_decay: L2 penalty of sgd and adam, decoupled in adamw (>= 0; 0: none).
    schedule: how the learning rate changes from round to round: constant, cosine down to 0 after the last, or steps.
    milestones: rounds from which it is a tenth of what it was, for schedule=steps ([]: none).
    epsilon: what adam and adamw add to the root of the second moment (> 0).
    state: whether a client's momentum starts anew each round (reset) or stays with it (persist).
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Gt(0)] = 0.02
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    schedule: Literal["constant", "cosine", "steps"] = "constant"
    milestones: tuple[int, ...] = ()
    epsilon: Annotated[float, Gt(0)] = 1e-8
    state: Literal["reset", "persist"] = "reset"


Slots = dict[str, Tensor]
"""What an optimizer keeps of one parameter between steps."""

OptimizerState = dict[str, Slots]
"""Slots by the number of their parameter, in the order of the net's parameters, as text."""


class LocalOptimizer(ABC):
    """Steps down the gradients of parameters. lr: of the next step."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: Optimizer) -> None:
        self._parameters = [p for p in parameters if p.requires_grad]
        self._decay, self.lr = settings.weight_decay, settings.lr
        self._slots: list[Slots] = [{} for _ in self._parameters]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameters, as torch's GradScaler reads them."""
        return [{"params": self._parameters}]

    def zero_grad(self) -> None:
        """Sets all gradients to None, so that a parameter that gets none is not stepped."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Steps all parameters that have a gradient."""
        found = [(p, slots) for p, slots in zip(self._parameters, self._slots, strict=True) if p.grad is not None]
        params: list[Tensor] = [p for p, _ in found]
        self._step(params, [p.grad for p in params if p.grad is not None], [slots for _, slots in found])

    @abstractmethod
    def _step(self, params: list[Tensor], grads: list[Tensor], slots: Sequence[Slots]) -> None: ...

    def state_dict(self) -> OptimizerState:
        """A copy of its memory (momentum, moments, step counts)."""
        return {str(i): {k: v.clone() for k, v in slots.items()} for i, slots in enumerate(self._slots) if slots}

    def load_state_dict(self, memory: OptimizerState) -> None:
        """Takes a copy of a memory, or with an empty one becomes as new; step counts stay on the processor."""
        for i, (parameter, slots) in enumerate(zip(self._parameters, self._slots, strict=True)):
            slots.clear()
            for name, value in memory.get(str(i), {}).items():
                slots[name] = value.to("cpu" if name == "step" else parameter.device, copy=True)


class Sgd(LocalOptimizer):
    """Steps with the bits of torch.optim.SGD: momentum without dampening or Nesterov, decay in the gradient."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: Optimizer) -> None:
        super().__init__(parameters, settings)
        self._momentum = settings.momentum

    def _step(self, params: list[Tensor], grads: list[Tensor], slots: Sequence[Slots]) -> None:
        buffers = [held.get("momentum_buffer") for held in slots]
        sgd(
            params,
            grads,
            buffers,
            lr=self.lr,
            momentum=self._momentum,
            weight_decay=self._decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        if self._momentum:
            for held, buffer in zip(slots, buffers, strict=True):
                assert buffer is not None
                held["momentum_buffer"] = buffer


class Adam(LocalOptimizer):
    """torch.optim.Adam, or AdamW, whose decay is decoupled from the moments."""

    def __init__(self, parameters: Iterable[nn.Parameter], settings: Optimizer) -> None:
        super().__init__(parameters, settings)
        self._epsilon = settings.epsilon
        self._decoupled = settings.name == "adamw"

    def _step(self, params: list[Tensor], grads: list[Tensor], slots: Sequence[Slots]) -> None:
        for held, parameter in zip(slots, params, strict=True):
            if not held:
                first, second = torch.zeros_like(parameter), torch.zeros_like(parameter)
                held.update(step=torch.tensor(0.0), exp_avg=first, exp_avg_sq=second)
        adam(
            params,
            grads,
            [held["exp_avg"] for held in slots],
            [held["exp_avg_sq"] for held in slots],
            [],
            [held["step"] for held in slots],
            decoupled_weight_decay=self._decoupled,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.lr,
            weight_decay=self._decay,
            eps=self._epsilon,
            maximize=False,
        )


def make_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> LocalOptimizer:
    """The optimizer of the settings, over the trainable parameters."""
    return (Sgd if settings.name == "sgd" else Adam)(parameters, settings)


def learning_rate(settings: Optimizer, round: int, rounds: int) -> float:
    """The learning rate of a round (from 1): constant, a tenth from each milestone on, or half a cosine towards 0."""
    if settings.schedule == "constant":
        return settings.lr
    if settings.schedule == "steps":
        return settings.lr * 0.1 ** sum(round >= milestone for milestone in settings.milestones)
    return settings.lr * (1 + math.cos(math.pi * (round - 1) / rounds)) / 2
