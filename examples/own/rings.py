"""A dataset of one's own: discs, rings and squares, drawn in noise at two sites of different contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from fedmed.data.examples import Dataset, Examples, Table
from fedmed.rng import generator

NAMES = ("disc", "ring", "square")


@dataclass(frozen=True, kw_only=True)
class Rings(Dataset):
    """Small grey images, each with a disc, a ring or a square.

    images: how many (at least 60).
    noise: deviation of the pixel noise, the range of grey values being 0..1 (0: none).
    seed: of shapes and noise.
    """

    images: Annotated[int, Ge(60)] = 600
    noise: Annotated[float, Ge(0)] = 0.1
    seed: int = 0

    def load(self) -> Table:
        """Draws the images; fedmed divides them into training, validation and test images."""
        rng = generator(self.seed, "rings")
        label = torch.arange(self.images) % 3
        site = torch.arange(self.images) // 3 % 2
        middle = torch.rand(2, self.images, 1, 1, generator=rng) * 8 + 8
        size = torch.rand(self.images, 1, 1, generator=rng) * 2 + 3
        y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
        dy, dx = (y - middle[0]).abs(), (x - middle[1]).abs()  # (N, 24, 24)
        radius = torch.hypot(dy, dx)
        shapes = torch.stack([radius < size, (radius < size) & (radius > size - 2), torch.maximum(dy, dx) < size])
        shown = shapes[label, torch.arange(self.images)] * (0.9 - 0.4 * site[:, None, None])
        shown = shown + self.noise * torch.randn(shown.shape, generator=rng)
        return Table(
            examples=Examples((shown.clamp(0, 1) * 255).to(torch.uint8).unsqueeze(1), label),
            task="multiclass",
            classes=len(NAMES),
            site=site.numpy().astype(np.int64),
            class_names=NAMES,
            site_names=("bright", "faint"),
        )
