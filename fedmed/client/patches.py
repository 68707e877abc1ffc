"""Patches: squares or cubes cut from images to train on, and windows of the same side over whole images to predict."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fedmed.data.examples import Examples

OVERLAP, TOGETHER = 0.25, 4
"""Share of a window that its neighbour covers too, and how many windows go through a net at once."""


def cut(part: Examples, side: int, generator: torch.Generator) -> Examples:
    """Of every image one patch of that side, anywhere in it with the same probability, with its mask.

    generator: on the processor; the only source of randomness.
    """
    sides, rows = part.x.shape[2:], len(part)
    axes = len(sides)
    corners = torch.rand(rows, axes, generator=generator) * (torch.tensor(sides) - side + 1)
    places = corners.long()[:, :, None] + torch.arange(side)  # (B, axes, side)
    shape = [[rows, *(side if other == axis else 1 for other in range(axes))] for axis in range(axes)]
    image = torch.arange(rows).view(-1, *[1] * axes)
    index = (image, *(places[:, axis].view(shape[axis]) for axis in range(axes)))
    x, y = part.x.movedim(1, -1)[_on(index, part.x)].movedim(-1, 1), part.y[_on(index, part.y)]
    seen = None if part.seen is None else part.seen.expand_as(part.y)[_on(index, part.y)]
    return Examples(x, y, seen, part.spacing)


def _on(index: tuple[Tensor, ...], like: Tensor) -> tuple[Tensor, ...]:
    return tuple(places.to(like.device, non_blocking=True) for places in index)


def windows(net: Callable[[Tensor], Tensor], x: Tensor, side: int) -> Tensor:
    """What a net that keeps sides gives for whole images (B, C, ...), from overlapping windows of that side.

    Where windows overlap, their centres count more (MONAI's, by a Gaussian). Images of that side go through as one.
    """
    if set(x.shape[2:]) == {side}:
        return net(x)
    from monai.inferers.utils import sliding_window_inference

    found = sliding_window_inference(x, (side,) * (x.dim() - 2), TOGETHER, net, OVERLAP, mode="gaussian")
    assert isinstance(found, Tensor)
    return found
