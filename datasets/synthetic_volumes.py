"""Synthetic volumes: noisy tissue with ellipsoid lesions, to be outlined, or to be told apart by their form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Generator, Tensor

from fedmed.data.examples import Dataset, Table
from fedmed.data.painting import paint_table, soft, uniform
from fedmed.errors import refuse

KEY = "synthetic_volumes"
EDGE = 0.15
"""Width of a lesion's edge, shares of its radius."""

FORMS = (("ball", (1.0, 1.0, 1.0)), ("disc", (0.45, 1.3, 1.3)), ("rod", (1.9, 0.7, 0.7)))
"""Forms of lesions, all of about one size, and their radii along the three axes."""


@dataclass(frozen=True, kw_only=True)
class SyntheticVolumes(Dataset):
    """Synthetic volumes of noisy tissue with ellipsoid lesions: masks of these, or which form they have in a volume.

    task: segmentation (lesions against background), or multiclass (all lesions of a volume are balls, discs or rods).
    images: training and validation volumes of all sites together (a tenth is for validation).
    test_images: test volumes of all sites together.
    side: side of the cubes in pixels.
    lesions: most lesions per volume, at least one.
    sites: number of sites; each has volumes of its own (>= 1; 1: sites unknown).
    contrast: brightness of lesions against the tissue (0: invisible, 1: clear).
    noise: deviation of the pixel noise, brightness 0 to 1 (0: none).
    spacing: mm from pixel to pixel along the three axes, in which distances are measured (null: in pixels).
    seed: seed of the volumes.
    """

    task: Literal["segmentation", "multiclass"] = "segmentation"
    images: Annotated[int, Ge(1)] = 60
    test_images: Annotated[int, Ge(1)] = 20
    side: Annotated[int, Ge(8)] = 32
    lesions: Annotated[int, Ge(1)] = 3
    sites: Annotated[int, Ge(1)] = 1
    contrast: Annotated[float, Ge(0)] = 1.0
    noise: Annotated[float, Ge(0)] = 0.1
    spacing: tuple[float, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.spacing is not None and (len(self.spacing) != 3 or not all(mm > 0 for mm in self.spacing)):
            raise refuse("dataset.spacing", "3 distances above 0 (mm)", list(self.spacing), "For example [3,1,1].")

    def load(self) -> Table:
        """Paints all volumes; the same bits for the same options."""
        names = ("background", "lesion") if self.task == "segmentation" else tuple(name for name, _ in FORMS)
        table = paint_table(
            self._paint,
            task=self.task,
            class_names=names,
            images=self.images,
            test_images=self.test_images,
            sites=self.sites,
            seed=self.seed,
            key=KEY,
        )
        return table if self.spacing is None else replace(table, spacing=np.tile(self.spacing, (len(table), 1)))

    def _paint(self, n: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Volumes (n, side, side, side), and their masks or forms (n,)."""
        form = torch.randint(len(FORMS), (n,), generator=rng)
        count = torch.randint(1, self.lesions + 1, (n,), generator=rng)
        radii = torch.tensor([radii for _, radii in FORMS])[form]  # (n, 3)
        brightness, mask = torch.zeros(2, n, *(self.side,) * 3)
        for number in range(self.lesions):
            depth = self._depth(uniform(rng, 0.12, 0.22, n, 1) * radii, uniform(rng, -0.6, 0.6, n, 3))
            depth = depth.masked_fill((number >= count)[:, None, None, None], -9.0)
            brightness = torch.maximum(brightness, soft(depth, EDGE))
            mask = torch.maximum(mask, (depth >= 0).float())
        tissue = 0.35 + 0.1 * uniform(rng, -1, 1, n, 1, 1, 1)
        noise = self.noise * torch.randn(n, *(self.side,) * 3, generator=rng)
        image = tissue + 0.35 * self.contrast * brightness + noise
        return image, mask.to(torch.uint8) if self.task == "segmentation" else form

    def _depth(self, radii: Tensor, centre: Tensor) -> Tensor:
        """1 - |(place - centre) / radii| of every pixel (n, side, side, side): above 0 inside the ellipsoids."""
        places = (torch.arange(self.side) + 0.5) * (2 / self.side) - 1
        away = ((places - centre[:, :, None]) / radii[:, :, None]).square()  # (n, 3, side)
        z, y, x = away.unbind(1)
        return 1 - (z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :]).sqrt()
