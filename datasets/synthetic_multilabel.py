"""Synthetic chest images with any number of findings, which come together and are rarer one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Interval
from torch import Generator, Tensor

from fedmed.data.examples import Dataset, Table, Task
from fedmed.data.painting import grating, paint_table, random_waves, smooth_field, soft, spread_points, star, uniform
from fedmed.rng import generator

KEY = "synthetic_multilabel"
CLUTTER = 0.06
"""Deviation of the pixel noise, brightness 0 to 1: the unit of `snr`."""


@dataclass(frozen=True, slots=True)
class FindingParameters:
    """What each finding looks like, and with which others it comes.

    centre: (L, 2). radius, frequency, angle, strength: (L,); strength is negative for dark findings.
    threshold: (L,) of the latent variable. loadings: (L, 3), rows of length 1: its share in three common causes.
    """

    centre: Tensor
    radius: Tensor
    frequency: Tensor
    angle: Tensor
    strength: Tensor
    threshold: Tensor
    loadings: Tensor


@dataclass(frozen=True, kw_only=True)
class SyntheticMultilabel(Dataset):
    """Synthetic chest images with several findings each, of long-tailed prevalence and correlated presence.

    images: training and validation images of all sites together (a tenth is for validation).
    test_images: test images of all sites together.
    side: image side in pixels.
    findings: number of findings.
    sites: number of sites; each has images of its own (>= 1; 1: sites unknown).
    snr: brightness of a finding over the deviation of the pixel noise (0: invisible).
    correlation: share of common causes in the presence of findings (0: independent).
    prevalence: share of images with the most frequent finding; the rarest has a fifth of it.
    seed: seed of the findings and the images.
    """

    task: ClassVar[Task] = "multilabel"
    images: Annotated[int, Ge(1)] = 2000
    test_images: Annotated[int, Ge(1)] = 500
    side: Annotated[int, Ge(8)] = 32
    findings: Annotated[int, Ge(2)] = 8
    sites: Annotated[int, Ge(1)] = 1
    snr: Annotated[float, Ge(0)] = 4.0
    correlation: Annotated[float, Interval(ge=0, lt=1)] = 0.3
    prevalence: Annotated[float, Interval(gt=0, lt=1)] = 0.4
    seed: int = 0

    def load(self) -> Table:
        """Paints all images; the same bits for the same options."""
        looks = self._parameters()
        return paint_table(
            lambda n, rng: self._paint(n, rng, looks),
            task=self.task,
            class_names=tuple(f"finding {number}" for number in range(self.findings)),
            images=self.images,
            test_images=self.test_images,
            sites=self.sites,
            seed=self.seed,
            key=KEY,
        )

    def prevalences(self) -> Tensor:
        """Expected share of images with each finding (L,), from `prevalence` down to a fifth of it."""
        return self.prevalence * torch.logspace(0, -1, self.findings, base=5)

    def _parameters(self) -> FindingParameters:
        rng = generator(self.seed, KEY, "findings")
        place = spread_points(self.findings, 5, rng)
        lung = torch.where(torch.arange(self.findings) % 2 == 0, -0.4, 0.4)
        loadings = torch.randn(self.findings, 3, generator=rng)
        return FindingParameters(
            centre=torch.stack([lung + 0.3 * (place[:, 0] - 0.5), 1.1 * (place[:, 1] - 0.5)], 1),
            radius=0.12 + 0.14 * place[:, 2],
            frequency=1.5 + 3 * place[:, 3],
            angle=3 * place[:, 4],
            strength=torch.where(torch.arange(self.findings) % 4 == 3, -0.8, 1.0),
            threshold=torch.special.ndtri(1 - self.prevalences()),
            loadings=loadings / loadings.norm(dim=1, keepdim=True),
        )

    def _paint(self, n: int, rng: Generator, looks: FindingParameters) -> tuple[Tensor, Tensor]:
        """Images (n, side, side) and findings (n, L)."""
        y = self._presence(n, rng, looks)
        shift = 0.04 * torch.randn(n, 2, generator=rng)
        image = _chest(n, self.side, shift, rng)
        for finding in range(self.findings):
            # Drawn for every image, present or not, so that one label changes nothing else.
            centre = looks.centre[finding] + shift + 0.06 * torch.randn(n, 2, generator=rng)
            radius = looks.radius[finding] * (1 + 0.15 * torch.randn(n, generator=rng))
            depth = star(self.side, centre, radius, random_waves(n, 2, 0.25, rng))
            frequency, angle = looks.frequency[finding].expand(n), looks.angle[finding].expand(n)
            stripes = grating(self.side, frequency, angle, uniform(rng, 0, 2 * math.pi, n))
            brightness = self.snr * CLUTTER * looks.strength[finding] * (1 + 0.4 * stripes)
            image += y[:, finding, None, None] * soft(depth, 0.05) * brightness
        return image + CLUTTER * torch.randn(n, self.side, self.side, generator=rng), y

    def _presence(self, n: int, rng: Generator, looks: FindingParameters) -> Tensor:
        """Findings (n, L) in {0, 1}: a Gaussian copula with three common causes."""
        common = torch.randn(n, 3, generator=rng) @ looks.loadings.T
        own = torch.randn(n, self.findings, generator=rng)
        latent: Tensor = self.correlation**0.5 * common + (1 - self.correlation) ** 0.5 * own  # variance 1
        return (latent > looks.threshold).float()


def _chest(n: int, side: int, shift: Tensor, rng: Generator) -> Tensor:
    """Chests without a finding (n, side, side): a body, two dark lungs, a heart."""
    none = torch.zeros(n, 1, dtype=torch.complex64)
    grow = 1 + 0.05 * torch.randn(n, generator=rng)
    tall = torch.full((n, 1), -0.25 + 0j)
    body = soft(star(side, shift, 1.0 * grow, none), 0.08)
    lungs = torch.zeros(n, side, side)
    for middle in (-0.4, 0.4):
        centre = shift + torch.tensor([middle, -0.05])
        lungs = torch.maximum(lungs, soft(star(side, centre, 0.45 * grow, tall), 0.04))
    heart = soft(star(side, shift + torch.tensor([0.12, 0.25]), 0.26 * grow, none), 0.05)
    image = 0.12 + 0.33 * body - 0.2 * lungs * (1 - heart)
    return image + 0.03 * smooth_field(n, side, 5, rng)
