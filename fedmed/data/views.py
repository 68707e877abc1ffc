"""Views of a batch of a given strength, for methods that compare what a net says of two views of the same image.

Sohn et al.: FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence. NeurIPS 2020, arXiv
2001.07685: weak is a flip and a shift of up to an eighth; strong here is one random change of each kind within bounds,
and a square of half the side cut out (DeVries and Taylor, arXiv 1708.04552), rather than two drawn from a list.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from fedmed.data.augment import StandardAugment

Strength = Literal["weak", "strong"]

WEAK = StandardAugment(flip=True, rotate=0.0, translate=0.125, scale=0.0, brightness=0.0)
STRONG = StandardAugment(flip=True, rotate=30.0, translate=0.125, scale=0.2, brightness=0.4, noise=0.05)
WEAK_IN_PLACE = StandardAugment(flip=False, rotate=0.0, translate=0.0, scale=0.0, brightness=0.1)
STRONG_IN_PLACE = StandardAugment(flip=False, rotate=0.0, translate=0.0, scale=0.0, brightness=0.4, noise=0.05)
"""What is done where nothing may move, as labels are masks."""


def view(x: Tensor, strength: Strength, generator: torch.Generator, *, moves: bool) -> Tensor:
    """Images (B, C, H, W) or volumes as they look in a view of the strength; those given stay as they are.

    generator: on the processor (CPU); the only source of randomness. moves: whether what they show may move.
    """
    weak, strong = (WEAK, STRONG) if moves else (WEAK_IN_PLACE, STRONG_IN_PLACE)
    labels = torch.zeros(len(x), dtype=torch.int64)
    if strength == "weak":
        return weak.apply(x, labels, generator)[0]
    return _cut_out(strong.apply(x, labels, generator)[0], generator)


def _cut_out(x: Tensor, generator: torch.Generator) -> Tensor:
    """The images with a square of half the shortest side set to each one's mean, around a point drawn anywhere in it.

    Of volumes a cube.
    """
    sides = x.shape[2:]
    half = min(sides) // 4
    centre = torch.rand(len(x), len(sides), generator=generator) * torch.tensor(sides)
    inside = torch.ones(len(x), 1, *[1] * len(sides), dtype=torch.bool)
    for axis, side in enumerate(sides):
        near = (torch.arange(side) - centre[:, axis, None]).abs().le(half)  # (B, side)
        inside = inside & near.view(len(x), 1, *(side if other == axis else 1 for other in range(len(sides))))
    return torch.where(inside.to(x.device), x.mean(list(range(2, x.dim())), keepdim=True), x)
