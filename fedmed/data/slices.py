"""One slice of each volume to look at: the one that shows most of its mask, or the middle one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedmed.data.examples import Indices


def telling_slices(x: Tensor, y: Tensor) -> Indices | None:
    """The slice of each volume (N, C, D, H, W) along its first axis (N,); None for images.

    y: labels of any task, of which masks (N, D, H, W) choose.
    """
    if x.dim() < 5:
        return None
    middle = np.full(len(x), x.shape[2] // 2)
    if y.dim() < 4:
        return middle
    shown = (y > 0).sum((2, 3)).cpu().numpy()  # (N, D)
    return np.where(shown.any(1), shown.argmax(1), middle)


def at_slices(values: NDArray[Any], slices: Indices | None) -> NDArray[Any]:
    """Those slices of volumes (N, ..., D, H, W); images, and labels of whole ones, as they are."""
    if slices is None or values.ndim < 4:
        return values
    return np.stack([volume[..., at, :, :] for volume, at in zip(values, slices, strict=True)])
