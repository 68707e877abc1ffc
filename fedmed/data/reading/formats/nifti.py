"""NIfTI, by nibabel: the axes brought to right, anterior, superior first, then cut into slices as one looks at them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.reading.formats.contract import Axis, Header, Pixels, UnreadableError

AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The axis of a canonical volume along which slices follow one another."""


def header(path: Path, axis: Axis) -> Header:
    """Shape along the canonical axes, without the voxels."""
    nibabel = _nibabel()
    image = nibabel.load(path)
    shape = image.shape[:3]
    order = nibabel.orientations.io_orientation(image.affine)[:, 0].astype(int)
    canonical = [shape[int(np.flatnonzero(order == axis)[0])] for axis in range(3)]
    slices = canonical.pop(AXES[axis])
    return Header(slices, canonical[1], canonical[0], 1, False, volume=True)


def pixels(path: Path, axis: Axis, frame: int | None) -> Pixels:
    """The slices along an axis (S, 1, H, W), superior or anterior above."""
    return Pixels(_slices(path, axis, frame, np.float32)[:, None], 0)


def raw(path: Path, axis: Axis, frame: int | None) -> NDArray[Any]:
    """A mask's values (S, H, W)."""
    return _slices(path, axis, frame, None)


def _slices(path: Path, axis: Axis, frame: int | None, dtype: Any) -> NDArray[Any]:
    nibabel = _nibabel()
    image = nibabel.as_closest_canonical(nibabel.load(path))
    data = image.dataobj
    while len(data.shape) > 3 and frame is None and data.shape[-1] == 1:
        data = np.asanyarray(data)[..., 0]
    if len(data.shape) != 3 and (len(data.shape) != 4 or frame is None):
        fix = "Say which frame: dataset.frames=[<columns of numbers>] of dataset=table, or store one volume a file."
        raise UnreadableError(f"{len(data.shape)} dimensions {tuple(data.shape)}", fix)
    if frame is not None and len(data.shape) == 4:
        if not 0 <= frame < data.shape[3]:
            raise UnreadableError(f"{data.shape[3]} frames, and frame {frame} is asked for", "Frames count from 0.")
        data = data[..., frame]
    values = np.asanyarray(data)
    values = values if dtype is None else values.astype(dtype)
    return np.rot90(np.moveaxis(values, AXES[axis], 0), axes=(1, 2))


def _nibabel() -> Any:
    try:
        return import_module("nibabel")
    except ImportError as error:
        fix = "Install what reads it: pip install 'fedmed-sim[nifti]'."
        raise UnreadableError("NIfTI, and nibabel is not installed", fix) from error
