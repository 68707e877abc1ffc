"""From the values of a file to those of an image: windows, percentiles, full scale, grey and RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedmed.data.reading.formats import Pixels

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R 601-2), as Pillow has them."""


@dataclass(frozen=True, kw_only=True)
class Intensity:
    """How values become pixels.

    window: centre and width of the values that become 0..1, in the unit of the file; empty: none.
    clip: percentiles of each file that become 0 and 1; empty: none. own_window: whether each file's own window counts.
    """

    window: tuple[float, ...] = ()
    clip: tuple[float, ...] = ()
    own_window: bool = False

    @property
    def leaves(self) -> bool:
        """Whether pixels of 0..255 stay as they are."""
        return not (self.window or self.clip or self.own_window)


def imaged(pixels: Pixels, intensity: Intensity, *, whole: bool, channels: Literal[1, 3]) -> NDArray[Any]:
    """Pixels as images (S, C, H, W): uint8 where whole, else float32; 0..1 unless they have a unit and no window."""
    values = _channels(pixels.values, channels)
    if whole:
        return values.astype(np.uint8, copy=False)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("NaN or infinite pixels")
    window = intensity.window or (pixels.window if intensity.own_window else None)
    if window:
        return _between(values, window[0] - window[1] / 2, window[0] + window[1] / 2)
    if intensity.clip:
        low, high = np.percentile(values, intensity.clip)
        return _between(values, float(low), float(high))
    return values.astype(np.float32) / np.float32(pixels.full or 1)


def _between(values: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Values from low to high as 0..1; those beyond are cut off."""
    scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return scaled.clip(0, 1)


def _channels(values: NDArray[Any], channels: int) -> NDArray[Any]:
    if values.shape[1] == channels:
        return values
    if channels == 3:
        return np.repeat(values, 3, 1)
    grey = np.tensordot(values, np.array(LUMA, np.float64), (1, 0))[:, None] if values.shape[1] == 3 else values
    return np.rint(grey).astype(values.dtype) if values.dtype.kind in "iu" else grey.astype(values.dtype)
