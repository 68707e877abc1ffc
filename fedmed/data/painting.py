"""Building blocks of synthetic images: batched, and seeded so that every (site, split) is a stream of its own.

Lengths are in half-images: the canvas spans -1 to 1 in both directions. Brightness is 0 (black) to 1 (white).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from fedmed.data.examples import TEST, TRAIN, VAL, Examples, Table
from fedmed.rng import Key, generator

BLOCK = 32
"""Images painted at a time: each block is seeded by its number, so more images never change the first ones."""

Painter = Callable[[int, Generator], tuple[Tensor, Tensor]]
"""(n, rng) -> n images (n, H, W), brightness, and their labels (n, ...); the same for the same rng."""


def paint_table(
    paint: Painter,
    *,
    task: Literal["multiclass", "multilabel", "segmentation"],
    class_names: tuple[str, ...],
    images: int,
    test_images: int,
    sites: int,
    seed: int,
    key: Key,
) -> Table:
    """Grey images (N, 1, H, W) uint8 of all sites, site after site: training, validation (a tenth of `images`), test.

    images: training and validation images of all sites together. test_images: the same for test.
    key: name of the kind of images; (seed, key, site, split, block) seeds a block, and nothing else does.
    """
    val = images // 10
    totals = {TRAIN: images - val, VAL: val, TEST: test_images}
    runs = [(site, split, _share(totals[split], sites, site)) for site in range(sites) for split in totals]
    painted = [_stream(paint, count, (seed, key, site, split)) for site, split, count in runs if count]
    x, y = (torch.cat(column) for column in zip(*painted, strict=True))
    site, split, counts = (np.array(column) for column in zip(*runs, strict=True))
    return Table(
        examples=Examples(x, y),
        task=task,
        classes=len(class_names),
        split=split.astype(np.int8).repeat(counts),
        site=site.astype(np.int64).repeat(counts) if sites > 1 else None,
        class_names=class_names,
        site_names=tuple(f"site {number}" for number in range(sites)) if sites > 1 else (),
    )


def _share(total: int, sites: int, site: int) -> int:
    """Images of one site: equal numbers, the remainder to the first sites."""
    return total // sites + (site < total % sites)


def _stream(paint: Painter, count: int, key: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
    """The first `count` images of a stream (count, 1, H, W) uint8, and their labels."""
    blocks = [paint(BLOCK, generator(*key, block)) for block in range(-(-count // BLOCK))]
    x, y = (torch.cat(column)[:count] for column in zip(*blocks, strict=True))
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)[:, None], y


def canvas(side: int) -> tuple[Tensor, Tensor]:
    """Coordinates x and y of the pixel centres, (1, side) and (side, 1)."""
    centres = (torch.arange(side) + 0.5) * (2 / side) - 1
    return centres[None, :], centres[:, None]


def smooth_field(n: int, side: int, cells: int, rng: Generator) -> Tensor:
    """Smooth random fields (n, side, side) of `cells` x `cells` bumps, each of mean 0 and deviation 1."""
    coarse = torch.randn(n, 1, cells, cells, generator=rng)
    field = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)[:, 0]
    deviation, mean = torch.std_mean(field, (1, 2), keepdim=True)
    return (field - mean) / deviation.clamp(min=1e-6)


def star(side: int, centre: Tensor, radius: Tensor, waves: Tensor) -> Tensor:
    """Depth inside shapes whose outline is r(t) = radius * (1 + Re sum_k waves_k exp(i (k + 2) t)), (n, side, side).

    Positive inside, 0 on the outline, negative outside; in half-images.
    centre: (n, 2) x and y. radius: (n,). waves: (n, K) complex amplitudes of 2, 3, ... lobes; let them fall with k.
    """
    x, y = canvas(side)
    dx, dy = x - centre[:, 0, None, None], y - centre[:, 1, None, None]  # (n, 1, side), (n, side, 1)
    distance = torch.sqrt(dx * dx + dy * dy).clamp(min=1e-6)  # (n, side, side)
    cosine, sine = dx / distance, dy / distance
    outline, real, imaginary = torch.ones_like(distance), cosine, sine
    for wave in waves.unbind(1):
        real, imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine  # exp(i k t)
        outline = outline + wave.real[:, None, None] * real - wave.imag[:, None, None] * imaginary
    return radius[:, None, None] * outline - distance


def soft(depth: Tensor, width: float) -> Tensor:
    """Share of each pixel that a shape covers, 0 to 1, with an edge of that width; one half on the outline."""
    return torch.sigmoid(depth / width)


def random_waves(n: int, lobes: int, roughness: float, rng: Generator) -> Tensor:
    """Complex amplitudes (n, lobes) of 2, 3, ... lobes that fall with their number, as organs' outlines do."""
    scale = roughness / torch.arange(2, lobes + 2)
    return torch.complex(*(scale * torch.randn(2, n, lobes, generator=rng)).unbind(0))


def grating(side: int, frequency: Tensor, angle: Tensor, phase: Tensor) -> Tensor:
    """Stripes (n, side, side) between -1 and 1; frequency (n,) in cycles per half-image, angle and phase in radians."""
    x, y = canvas(side)
    across = torch.cos(angle)[:, None, None] * x + torch.sin(angle)[:, None, None] * y
    return torch.sin(2 * math.pi * frequency[:, None, None] * across + phase[:, None, None])


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images (N, C, H, W) or volumes under a Gaussian blur of deviation `sigma` (pixels), edges repeated."""
    reach = min(math.ceil(3 * sigma), *(side - 1 for side in x.shape[2:]))
    if reach < 1:
        return x
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    channels, axes = x.shape[1], x.dim() - 2
    kernel = (kernel / kernel.sum()).expand(channels, 1, *[1] * (axes - 1), -1)
    found = F.pad(x, (reach,) * 2 * axes, mode="replicate")
    convolve = F.conv2d if axes == 2 else F.conv3d
    for axis in reversed(range(2, x.dim())):
        found = convolve(found, kernel.transpose(axis, -1), groups=channels)
    return found


def uniform(rng: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform draws between low and high."""
    return low + (high - low) * torch.rand(*shape, generator=rng)


def spread_points(count: int, dimensions: int, rng: Generator) -> Tensor:
    """Points (count, dimensions) in (0, 1), evenly spread along every axis: ranks of a scrambled Sobol sequence.

    Independent draws would leave some points almost equal.
    """
    sobol_seed = int(torch.randint(2**31, (), generator=rng))
    draws = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=sobol_seed).draw(count)
    return (draws.argsort(0).argsort(0) + 0.5) / count
