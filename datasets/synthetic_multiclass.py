"""Synthetic lesions in tissue, one class per image; each class is a point in a space of looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Interval
from torch import Generator, Tensor

from fedmed.data.examples import Dataset, Table, Task
from fedmed.data.lesions import LOOKS, paint_lesions
from fedmed.data.painting import paint_table, spread_points
from fedmed.rng import generator

KEY = "synthetic_multiclass"


@dataclass(frozen=True, kw_only=True)
class SyntheticMulticlass(Dataset):
    """Synthetic lesions of several classes, which differ in outline, texture, brightness and size.

    images: training and validation images of all sites together (a tenth is for validation).
    test_images: test images of all sites together.
    side: image side in pixels.
    classes: number of classes.
    sites: number of sites; each has images of its own (>= 1; 1: sites unknown).
    separation: distance between the classes' looks (0: no difference, 1: the whole range).
    jitter: spread within a class, on the scale of separation (0: none).
    noise: deviation of the pixel noise, brightness 0 to 1 (0: none).
    seed: seed of the classes and the images.
    """

    task: ClassVar[Task] = "multiclass"
    images: Annotated[int, Ge(1)] = 2000
    test_images: Annotated[int, Ge(1)] = 500
    side: Annotated[int, Ge(8)] = 28
    classes: Annotated[int, Ge(2)] = 6
    sites: Annotated[int, Ge(1)] = 1
    separation: Annotated[float, Interval(ge=0, le=1)] = 1.0
    jitter: Annotated[float, Ge(0)] = 0.05
    noise: Annotated[float, Ge(0)] = 0.05
    seed: int = 0

    def load(self) -> Table:
        """Paints all images; the same bits for the same options."""
        ranks = spread_points(self.classes, len(LOOKS), generator(self.seed, KEY, "classes"))
        points = 0.5 + self.separation * (ranks - 0.5)  # (classes, looks)
        return paint_table(
            lambda n, rng: self._paint(n, rng, points),
            task=self.task,
            class_names=tuple(map(str, range(self.classes))),
            images=self.images,
            test_images=self.test_images,
            sites=self.sites,
            seed=self.seed,
            key=KEY,
        )

    def _paint(self, n: int, rng: Generator, points: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, side, side) and classes (n,)."""
        y = torch.randint(self.classes, (n,), generator=rng)
        looks = points[y] + self.jitter * torch.randn(n, len(LOOKS), generator=rng)
        return paint_lesions(looks, self.side, self.noise, rng), y
