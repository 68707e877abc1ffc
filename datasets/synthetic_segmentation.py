"""Synthetic body sections with masks of organs, or of scattered lesions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Generator, Tensor

from fedmed.data.examples import Dataset, Table, Task
from fedmed.data.painting import paint_table, random_waves, smooth_field, soft, star, uniform
from fedmed.rng import generator

KEY = "synthetic_segmentation"
EDGE = 0.03
"""Width of an organ's edge, half-images."""


@dataclass(frozen=True, slots=True)
class OrganAtlas:
    """The average anatomy of O organs.

    centre: (O, 2). radius: (O,). waves: (O, 3) complex. level: (O,), brightness against the tissue at contrast 1.
    """

    centre: Tensor
    radius: Tensor
    level: Tensor
    waves: Tensor


@dataclass(frozen=True, kw_only=True)
class SyntheticSegmentation(Dataset):
    """Synthetic body sections: organs at their place in the body, or lesions scattered over it.

    images: training and validation images of all sites together (a tenth is for validation).
    test_images: test images of all sites together.
    side: image side in pixels.
    organs: number of organs, mask values 1, 2, ... in the order in which they are painted (0 is background).
    lesions: most lesions per image, at least one; the masks are then binary and organs are not painted (0: organs).
    sites: number of sites; each has images of its own (>= 1; 1: sites unknown).
    contrast: brightness of organs and lesions against the tissue (0: invisible, 1: clear).
    jitter: spread of place, size and outline between patients (0: one anatomy, 1: usual).
    noise: deviation of the pixel noise, brightness 0 to 1 (0: none).
    seed: seed of the anatomy and the images.
    """

    task: ClassVar[Task] = "segmentation"
    images: Annotated[int, Ge(1)] = 600
    test_images: Annotated[int, Ge(1)] = 150
    side: Annotated[int, Ge(8)] = 64
    organs: Annotated[int, Ge(1)] = 3
    lesions: Annotated[int, Ge(0)] = 0
    sites: Annotated[int, Ge(1)] = 1
    contrast: Annotated[float, Ge(0)] = 1.0
    jitter: Annotated[float, Ge(0)] = 1.0
    noise: Annotated[float, Ge(0)] = 0.05
    seed: int = 0

    def load(self) -> Table:
        """Paints all images; the same bits for the same options."""
        atlas = self._atlas()
        organs = tuple(f"organ {number + 1}" for number in range(self.organs))
        return paint_table(
            lambda n, rng: self._paint(n, rng, atlas),
            task=self.task,
            class_names=("background", *(("lesion",) if self.lesions else organs)),
            images=self.images,
            test_images=self.test_images,
            sites=self.sites,
            seed=self.seed,
            key=KEY,
        )

    def _atlas(self) -> OrganAtlas:
        rng = generator(self.seed, KEY, "atlas")
        angle = torch.arange(self.organs) * (2 * math.pi / self.organs) + uniform(rng, 0, 2 * math.pi, 1)
        ring = 0.45 if self.organs > 1 else 0.15
        room = ring * math.sin(math.pi / self.organs) if self.organs > 1 else 0.35  # where neighbours would touch
        level = torch.where(torch.arange(self.organs) % 2 == 0, 0.3, -0.22)
        return OrganAtlas(
            centre=ring * torch.stack([torch.cos(angle), 0.85 * torch.sin(angle)], 1),
            radius=min(room, 0.32) * uniform(rng, 0.75, 1.1, self.organs),
            level=level * uniform(rng, 0.7, 1.1, self.organs),
            waves=random_waves(self.organs, 3, 0.22, rng),
        )

    def _paint(self, n: int, rng: Generator, atlas: OrganAtlas) -> tuple[Tensor, Tensor]:
        """Images (n, side, side) and masks (n, side, side)."""
        grow = 1 + 0.06 * self.jitter * torch.randn(n, generator=rng)
        shift = 0.04 * self.jitter * torch.randn(n, 2, generator=rng)
        flat = torch.tensor([[0.1 + 0j]]) + 0.2 * self.jitter * random_waves(n, 1, 0.4, rng)
        body = star(self.side, shift, 0.85 * grow, flat)
        if self.lesions:
            depth, level = self._lesions(n, rng, grow, shift), torch.full((self.lesions,), 0.3)
        else:
            depth, level = self._organs(n, rng, atlas, grow, shift), atlas.level
        layers = torch.zeros(n, self.side, self.side)
        y = torch.zeros(n, self.side, self.side, dtype=torch.uint8)
        for number, brightness in enumerate(self.contrast * level):
            inside = torch.minimum(depth[number], body)
            layers += soft(inside, EDGE) * (brightness - layers)
            y.masked_fill_(inside >= 0, 1 if self.lesions else number + 1)
        image = 0.04 + soft(body, EDGE) * (0.36 + layers + 0.05 * smooth_field(n, self.side, 6, rng))
        return image + self.noise * torch.randn(n, self.side, self.side, generator=rng), y

    def _organs(self, n: int, rng: Generator, atlas: OrganAtlas, grow: Tensor, shift: Tensor) -> list[Tensor]:
        """Depth inside each organ, (n, side, side); all organs of an image share its turn, size and place."""
        turn = 0.12 * self.jitter * torch.randn(n, generator=rng)
        cosine, sine = torch.cos(turn), torch.sin(turn)
        found = []
        for number, (x, y) in enumerate(atlas.centre):
            turned = torch.stack([cosine * x - sine * y, sine * x + cosine * y], 1)
            centre = grow[:, None] * turned + shift + 0.03 * self.jitter * torch.randn(n, 2, generator=rng)
            radius = atlas.radius[number] * grow * (1 + 0.08 * self.jitter * torch.randn(n, generator=rng))
            waves = atlas.waves[number] + random_waves(n, 3, 0.08 * self.jitter, rng)
            found.append(star(self.side, centre, radius, waves))
        return found

    def _lesions(self, n: int, rng: Generator, grow: Tensor, shift: Tensor) -> list[Tensor]:
        """Depth inside each lesion, (n, side, side); negative everywhere where an image has fewer lesions."""
        present = torch.randint(1, self.lesions + 1, (n,), generator=rng)
        found = []
        for number in range(self.lesions):
            distance = 0.65 * grow * uniform(rng, 0, 1, n).sqrt()
            angle = uniform(rng, 0, 2 * math.pi, n)
            centre = shift + distance[:, None] * torch.stack([torch.cos(angle), 0.85 * torch.sin(angle)], 1)
            depth = star(self.side, centre, uniform(rng, 0.06, 0.15, n), random_waves(n, 3, 0.2, rng))
            found.append(depth.masked_fill((number >= present)[:, None, None], -2.0))
        return found
