"""Lesions in tissue, each of which looks like a point in a space of looks."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from fedmed.data.painting import grating, smooth_field, soft, star, uniform

LOOKS = torch.tensor(
    [
        [2.0, 5.0],  # lobes of the outline
        [0.05, 0.4],  # depth of the lobes, share of the radius
        [1.0, 3.0],  # stripes per half-image
        [0.0, math.pi],  # angle of the stripes
        [-0.28, 0.5],  # brightness above the tissue
        [0.25, 0.75],  # radius, half-images
    ]
)
"""Each look's value at 0 and at 1."""


def paint_lesions(looks: Tensor, side: int, noise: float, rng: Generator) -> Tensor:
    """Images (n, side, side), brightness, of a lesion each.

    looks: (n, looks), 0 to 1 between the two values of `LOOKS`. noise: deviation of the pixel noise (brightness).
    """
    lobes, amplitude, frequency, angle, contrast, radius = (LOOKS[:, 0] + looks * (LOOKS[:, 1] - LOOKS[:, 0])).T
    n = len(looks)
    turn = uniform(rng, 0, 2 * math.pi, n)
    number = torch.arange(2, 6)  # an outline between 2 and 3 lobes is a mixture of both
    share = amplitude[:, None] * torch.exp(-((lobes[:, None] - number) ** 2))  # (n, 4)
    waves = torch.polar(share.clamp(min=0), number * turn[:, None])
    depth = star(side, 0.08 * torch.randn(n, 2, generator=rng), radius, waves)
    stripes = grating(side, frequency, angle, uniform(rng, 0, 2 * math.pi, n))
    tissue = 0.38 + 0.05 * smooth_field(n, side, 5, rng)
    lesion = soft(depth, 0.05) * (contrast[:, None, None] + 0.12 * stripes)
    found: Tensor = tissue + lesion + noise * torch.randn(n, side, side, generator=rng)
    return found
