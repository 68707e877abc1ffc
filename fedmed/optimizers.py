"""Local optimizers, their schedule over rounds, and their memory between rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fedmed.config.experiment import Optimizer


def make_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The torch optimizer of the settings, over the trainable parameters."""
    trainable, decay = [p for p in parameters if p.requires_grad], settings.weight_decay
    if settings.name == "sgd":
        return torch.optim.SGD(trainable, lr=settings.lr, momentum=settings.momentum, weight_decay=decay)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(trainable, lr=settings.lr, weight_decay=decay)


def learning_rate(settings: Optimizer, round: int, rounds: int) -> float:
    """The learning rate of a round (from 1): constant, a tenth from each milestone on, or half a cosine towards 0."""
    if settings.schedule == "constant":
        return settings.lr
    if settings.schedule == "steps":
        return settings.lr * 0.1 ** sum(round >= milestone for milestone in settings.milestones)
    return settings.lr * (1 + math.cos(math.pi * (round - 1) / rounds)) / 2


Memory = dict[str, dict[str, Tensor]]


def remember(optimizer: torch.optim.Optimizer) -> Memory:
    """A copy of the optimizer's memory (momentum, moments, step counts), by parameter number."""
    held = ((str(i), optimizer.state.get(p, {})) for i, p in enumerate(_parameters(optimizer)))
    return {i: {k: v.clone() for k, v in slots.items() if isinstance(v, Tensor)} for i, slots in held if slots}


def recall(optimizer: torch.optim.Optimizer, memory: Memory) -> None:
    """Gives the optimizer a memory, or with an empty one makes it as new; step counts stay on the processor."""
    optimizer.state.clear()
    for i, parameter in enumerate(_parameters(optimizer)):
        if slots := memory.get(str(i)):
            there = {k: "cpu" if k == "step" else parameter.device for k in slots}
            optimizer.state[parameter] = {k: v.to(there[k], copy=True) for k, v in slots.items()}


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]
