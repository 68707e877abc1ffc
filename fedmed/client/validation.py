"""What a client checks before anything leaves it or is remembered: the server would refuse it anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import torch
from torch import Tensor

from fedmed.checks import MismatchError, check_finite
from fedmed.errors import refuse
from fedmed.method import Payload, State

ROOM = 1 << 28
"""Bytes that a method may report, or four times those of the weights where that is more."""

DIVERGED = "Training diverged: lower optimizer.lr, or set clip_norm."


def room(shared: Payload) -> int:
    """Bytes that a client may send besides its weights."""
    return max(ROOM, 4 * sum(t.numel() * t.element_size() for t in shared.values()))


def mean_loss(losses: Sequence[Tensor], sizes: Sequence[int], where: str) -> float:
    """The mean of batches' losses over their images; `UserError` where it is NaN or infinite."""
    values: list[float] = torch.stack(list(losses)).tolist()
    mean = sum(loss * size for loss, size in zip(values, sizes, strict=True)) / sum(sizes)
    if not isfinite(mean):
        raise refuse(where, "a finite training loss", mean, DIVERGED)
    return mean


def check_weights(weights: Mapping[str, Tensor], received: Payload, where: str) -> None:
    """Raises `UserError` where weights after training are NaN or infinite, shared or not. where: client and round."""
    try:
        check_finite(weights, "weights after training", was=received)
    except MismatchError as error:
        raise refuse(where, error.expected, error.got, DIVERGED) from error


def check_payloads(payloads: Mapping[str, Payload], room: int, where: str) -> None:
    """Raises `UserError` where a method reports more bytes than `room`."""
    for name, payload in payloads.items():
        if (size := sum(t.numel() * t.element_size() for t in payload.values())) > room:
            fix = "Send means or sums, not what they are made of."
            raise refuse(
                f"{name}.report, {where}", f"a report of at most {room / 1e6:.0f} MB", f"{size / 1e6:.0f} MB", fix
            )


def own_copy(memory: Mapping[str, State]) -> dict[str, State]:
    """A deep copy of a memory: it shares no tensor with the net, and loses what a failing round changed in place."""
    return {
        key: own_copy(value)
        if isinstance(value, dict)
        else value.detach().clone()
        if isinstance(value, Tensor)
        else value
        for key, value in memory.items()
    }
