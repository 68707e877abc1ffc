"""What is read from a file of an image, whatever its kind."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Axis = Literal["axial", "coronal", "sagittal"]


class UnreadableError(Exception):
    """A file that cannot be used. got: what it is. fix: what to do about it."""

    def __init__(self, got: str, fix: str = "") -> None:
        super().__init__(got)
        self.got, self.fix = got, fix


class Header(NamedTuple):
    """What a file says of itself before its pixels are read.

    slices: 1 for an image. channels: 1 (grey) or 3 (RGB). whole: whether pixels are uint8 of 0..255.
    volume: whether it is a volume even where it has one slice only.
    """

    slices: int
    height: int
    width: int
    channels: int
    whole: bool
    volume: bool = False


class Pixels(NamedTuple):
    """The pixels of a file (S, C, H, W), in its own type.

    full: the value that counts as 1, such as 65535 for 16 bits; 0 where values have a unit, as Hounsfield's.
    window: centre and width that the file names for display; None where it names none.
    """

    values: NDArray[Any]
    full: float
    window: tuple[float, float] | None = None


def full_of(dtype: np.dtype[Any]) -> float:
    """The value that counts as 1 in whole numbers without sign; 0 for other types."""
    return float(np.iinfo(dtype).max) if dtype in (np.dtype(np.uint8), np.dtype(np.uint16)) else 0.0
