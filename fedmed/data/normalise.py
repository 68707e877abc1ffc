"""From stored pixels to what a net takes: float32, scaled, and standardised if asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

_FLAT = 1e-6
"""Deviations below this count as 1: a constant channel or image is only centred."""

VALUES = 1 << 26
"""Values of which a copy in float64 is made at a time."""


@dataclass(frozen=True, slots=True)
class Normalise:
    """Callable on a batch (B, C, H, W) or (B, C, D, H, W), uint8 or float32, that gives a new or the same float32 one.

    by: none, dataset, or image. scale, offset: per channel (C, 1, 1) or (C, 1, 1, 1), for none and dataset.
    """

    by: Literal["none", "dataset", "image"] = "none"
    scale: Tensor | None = None
    offset: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.by == "image":
            return _standardise(x.float())
        if self.scale is None:
            return x.float()
        out = x * self.scale  # uint8 * float32 is float32, in one pass
        return out if self.offset is None else out.add_(self.offset)

    def to(self, device: torch.device) -> Normalise:
        """The same for images on another device."""
        scale = None if self.scale is None else self.scale.to(device)
        return Normalise(self.by, scale, None if self.offset is None else self.offset.to(device))


def normaliser(by: Literal["none", "dataset", "image"], train: Sequence[Tensor]) -> Normalise:
    """A `Normalise` with statistics of the training images, (N, C, H, W) or volumes; uint8 is scaled to 0..1 first."""
    unit = 1 / 255 if train[0].dtype == torch.uint8 else 1.0
    if by == "image":
        return Normalise(by)
    if by == "none":
        return Normalise(by, torch.tensor(unit)) if unit != 1 else Normalise(by)
    mean, deviation = _moments(train)
    deviation = torch.where(deviation * unit < _FLAT, 1 / unit, deviation)
    return Normalise(by, (1 / deviation).float(), (-mean / deviation).float())


def _moments(train: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation per channel (C, 1, 1), of volumes (C, 1, 1, 1), float64, without a copy of all images."""
    rows = max(1, min(4096, VALUES // train[0].shape[1:].numel()))
    total, squares, count = torch.zeros(()).double(), torch.zeros(()).double(), 0
    pixels = [0, *range(2, train[0].dim())]
    for values in (chunk.double() for part in train for chunk in part.split(rows)):
        total = total + values.sum(pixels)
        squares = squares + values.square().sum(pixels)
        count += values.numel() // values.shape[1]
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    shape = (-1, *[1] * (len(pixels) - 1))
    return mean.view(shape), deviation.view(shape)


def _standardise(x: Tensor) -> Tensor:
    values = list(range(1, x.dim()))
    mean = x.mean(values, keepdim=True)
    deviation = x.std(values, keepdim=True, correction=0)
    return (x - mean) / torch.where(deviation < _FLAT, torch.ones_like(deviation), deviation)
