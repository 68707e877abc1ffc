"""Single arrays of numpy (npy)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.reading.formats.contract import Axis, Header, Pixels, UnreadableError, full_of


def header(path: Path, axis: Axis) -> Header:
    """Shape and type, without reading the pixels."""
    values = _stacked(np.load(path, mmap_mode="r", allow_pickle=False))
    slices, channels, height, width = values.shape
    return Header(slices, height, width, channels, values.dtype == np.uint8, slices > 1)


def pixels(path: Path, axis: Axis, frame: int | None) -> Pixels:
    """The array as slices; a volume's lie along its first axis."""
    values = _stacked(np.load(path, allow_pickle=False))
    return Pixels(values, full_of(values.dtype))


def raw(path: Path) -> NDArray[Any]:
    """A mask's values (S, H, W)."""
    values: NDArray[Any] = np.load(path, allow_pickle=False)
    return values[None] if values.ndim == 2 else values


def _stacked(values: NDArray[Any]) -> NDArray[Any]:
    """An array (H, W), (H, W, C) or (S, H, W) as (S, C, H, W)."""
    if values.dtype.kind not in "buif" or values.ndim not in (2, 3):
        fix = "An image is (H, W) or (H, W, 3)."
        raise UnreadableError(f"an array of shape {values.shape} and type {values.dtype}", fix)
    if values.ndim == 2:
        return values[None, None]
    return np.moveaxis(values, 2, 0)[None] if values.shape[2] in (1, 3) else values[:, None]
