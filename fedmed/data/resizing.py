"""Images of another size: smooth for pixels, the nearest value for masks."""

from __future__ import annotations

from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.data.batches import in_parts

Mode = Literal["bilinear", "nearest-exact"]


def scaled(x: Tensor, size: tuple[int, ...], mode: Mode) -> Tensor:
    """Images (N, C, H, W) or volumes (N, C, D, H, W) of other sides, in their own type; uint8 is rounded."""
    if tuple(x.shape[2:]) == size:
        return x
    parts = []
    for part in in_parts(x, 2**24):
        found = _interpolated(part.float(), size, mode)
        parts.append(found if x.is_floating_point() else found.round().clamp(0, 255).to(x.dtype))
    return torch.cat(parts)


def _interpolated(x: Tensor, size: tuple[int, ...], mode: Mode) -> Tensor:
    smooth = {"antialias": True, "align_corners": False} if mode == "bilinear" else {}
    if x.dim() == 4:
        return F.interpolate(x, size, mode=mode, **smooth)
    # torch smooths images only while it makes them smaller: of a volume first its slices, then along them
    (n, channels, depth), (deep, *flat) = x.shape[:3], size
    slices = F.interpolate(x.flatten(1, 2), flat, mode=mode, **smooth).view(n, channels, depth, prod(flat))
    return F.interpolate(slices, (deep, prod(flat)), mode=mode, **smooth).view(n, channels, *size)


def fitted(x: Tensor, side: int, fit: Literal["resize", "pad", "crop"], mode: Mode) -> Tensor:
    """Images (N, C, H, W) as squares of that side.

    fit: resize stretches to the square; pad keeps the shape and fills with 0 around it; crop keeps the shape and cuts
    off what is beyond the square.
    """
    if fit == "resize":
        return scaled(x, (side, side), mode)
    height, width = x.shape[-2:]
    along = max(height, width) if fit == "pad" else min(height, width)
    size = (max(1, round(height * side / along)), max(1, round(width * side / along)))
    x = scaled(x, size, mode)
    if fit == "crop":
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        return x[..., top : top + side, left : left + side]
    below, right = side - size[0], side - size[1]
    return F.pad(x, (right // 2, right - right // 2, below // 2, below - below // 2))
