"""Images of another size: smooth for pixels, the nearest value for masks."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Mode = Literal["bilinear", "nearest-exact"]


def scaled(x: Tensor, size: tuple[int, int], mode: Mode) -> Tensor:
    """Images (N, C, H, W) of another height and width, in their own type; uint8 is rounded."""
    if tuple(x.shape[-2:]) == size:
        return x
    smooth = {"antialias": True, "align_corners": False} if mode == "bilinear" else {}
    parts = [F.interpolate(part.float(), size, mode=mode, **smooth) for part in x.split(512)]
    if x.is_floating_point():
        return torch.cat(parts)
    return torch.cat([part.round().clamp(0, 255).to(x.dtype) for part in parts])


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
