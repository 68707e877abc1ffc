"""Styles: five looks of one content, as far apart as the five sets of digits of domain-generalisation studies.

After Digit-5: plain strokes, strokes on textures, in colours, on house fronts, and of few pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from fedmed.data.painting import blurred, grating, smooth_field, uniform

STYLES = ("plain", "textured", "coloured", "inverted", "coarse")
"""Plain: as it is. Textured: the difference to a texture. Coloured: between two colours. Inverted: bright and dark
exchanged, blurred, with neighbours at both sides. Coarse: of low resolution."""


def restyled(x: Tensor, style: str, strength: float, rng: Generator) -> Tensor:
    """The images (N, C, H, W), 0 to 1, in a style, each with draws of its own.

    strength: how far from the plain image (>= 0; 0: not at all; 1: as far as sets of digits are apart).
    """
    match style:
        case "textured":
            found = (x - 0.5 * strength * _texture(x, rng)).abs()
        case "coloured":
            dark, bright = strength * uniform(rng, 0, 0.6, 2, *x.shape[:2], 1, 1)
            found = torch.lerp(dark, 1 - bright, x)
        case "inverted":
            found = _inverted(_between_neighbours(x, strength), strength, rng)
        case "coarse":
            found = _coarse(x, strength)
        case _:
            found = x
    return found.clamp(0, 1)


def _texture(x: Tensor, rng: Generator) -> Tensor:
    """Blobs and stripes (N, C, H, W), 0 to 1, like the images in shape alone."""
    n, channels, height, width = x.shape
    side = max(height, width, 2)  # one pixel has no deviation
    blobs = smooth_field(n * channels, side, 5, rng).view(n, channels, side, side)
    stripes = grating(side, uniform(rng, 1, 4, n), uniform(rng, 0, math.pi, n), uniform(rng, 0, 2 * math.pi, n))
    texture = 0.5 + 0.2 * blobs + 0.15 * stripes[:, None]
    return texture[..., :height, :width].clamp(0, 1)


def _between_neighbours(x: Tensor, strength: float) -> Tensor:
    """Both sides of every image show the middle of the image before it, as far in as strength says."""
    width = x.shape[-1]
    reach, middle = min(round(0.15 * strength * width), width // 2), width // 2
    if reach == 0:
        return x
    neighbour = x[(torch.arange(len(x)) - 1).clamp(min=0)]
    left, right = neighbour[..., middle : middle + reach], neighbour[..., middle - reach : middle]
    return torch.cat([left, x[..., reach : width - reach], right], -1)


def _inverted(x: Tensor, strength: float, rng: Generator) -> Tensor:
    """Blurred, and `strength` of the images (all from 1 on) with bright and dark exchanged: half-way is no image."""
    x = blurred(x, 0.04 * strength * max(x.shape[2:]))
    exchanged = torch.rand(len(x), 1, 1, 1, generator=rng) < strength
    return torch.where(exchanged, 1 - x, x)


def _coarse(x: Tensor, strength: float) -> Tensor:
    """Sampled down to 1 / (1 + 2 strength) of the side, and brought back."""
    height, width = x.shape[2:]
    small = [max(1, round(side / (1 + 2 * strength))) for side in (height, width)]
    down = F.interpolate(x, small, mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(down, (height, width), mode="bilinear", align_corners=False)
