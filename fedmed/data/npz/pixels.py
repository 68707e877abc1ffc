"""The images of a file: of which shapes and types they may be, and how they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.npz.archive import NpzArchive

Array = NDArray[Any]


def read_pixels(archive: NpzArchive, key: str, *, volumes: bool = False) -> Array:
    """The images of one array, as `pixels` gives them, which raises UserError."""
    return pixels(archive, key, archive.read(key), volumes=volumes)


def pixels(archive: NpzArchive, key: str, array: Array, *, volumes: bool = False) -> Array:
    """Images (N, H, W), (N, H, W, 1) or (N, H, W, 3) as (N, C, H, W), uint8 or float32.

    volumes: whether they are volumes, (N, D, H, W) or (N, D, H, W, C), which become (N, C, D, H, W).
    Raises UserError where they are of another shape or type, empty, or not finite.
    """
    if volumes:
        _check_volumes(archive, key, array.shape)
    elif array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise archive.fault(key, "grey or RGB images", f"shape {array.shape}", _as_images(array.shape))
    if not array.size:
        raise archive.fault(key, "at least one image", f"shape {array.shape}", "Leave an empty array out.")
    stacked = array[:, None] if array.ndim == (4 if volumes else 3) else np.moveaxis(array, -1, 1)
    if array.dtype == np.uint8:
        return stacked
    if array.dtype.kind == "f":
        return _finite(archive, key, stacked)
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return stacked.astype(np.uint8)
    span = f" from {array.min()} to {array.max()}" if array.dtype.kind in "iu" else ""
    fix = "Scale the pixels to 0..255 (uint8) or store them as float32."
    raise archive.fault(key, "uint8 or floating-point pixels", f"{array.dtype}{span}", fix)


def _as_images(shape: tuple[int, ...]) -> str:
    """A sentence on how to make images of an array of that shape."""
    if len(shape) == 4 and shape[1] in (1, 3):
        return "Store channels last, (N, H, W, C): numpy.moveaxis(images, 1, -1)."
    if len(shape) in (4, 5):
        return "Volumes, (N, D, H, W) or (N, D, H, W, C), are read with dataset.volumes=true."
    if len(shape) == 2:
        return "Images are (N, H, W); a single one is images[None], and flat ones need reshape(N, H, W)."
    return "Images are (N, H, W), or (N, H, W, C) with 1 or 3 channels last."


def _check_volumes(archive: NpzArchive, key: str, shape: tuple[int, ...]) -> None:
    """Raises UserError where an array of that shape does not hold volumes, as dataset.volumes=true says it does."""
    expected, got = "volumes (N, D, H, W) or (N, D, H, W, C), as dataset.volumes=true", f"shape {shape}"
    if len(shape) not in (4, 5) or (len(shape) == 4 and shape[3] in (1, 3)):
        raise archive.fault(key, expected, got, "These look like images: leave dataset.volumes out.")
    if len(shape) == 5 and shape[1] < shape[4]:
        fix = "Store channels last, (N, D, H, W, C): numpy.moveaxis(volumes, 1, -1)."
        raise archive.fault(key, expected, f"{got}, which has more channels than slices", fix)


def _finite(archive: NpzArchive, key: str, array: Array) -> Array:
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused for it
        images = array.astype(np.float32)
    good = np.isfinite(images).reshape(len(images), -1).all(1)
    if not good.all():
        rows = np.flatnonzero(~good)
        got = f"NaN or infinite values (or beyond float32) in {len(rows)} images, first in image {rows[0]}"
        raise archive.fault(key, "finite pixels", got, "Replace them or leave those images out.")
    return images


def stack(archive: NpzArchive, arrays: Sequence[tuple[str, Array]]) -> Array:
    """Images of all parts, contiguous; raises UserError where parts differ in size, channels or type."""
    key, first = arrays[0]
    for other, images in arrays[1:]:
        if (images.shape[1:], images.dtype) != (first.shape[1:], first.dtype):
            axes = "(C, H, W)" if first.ndim == 4 else "(C, D, H, W)"
            expected = f"images {axes} {first.shape[1:]} {first.dtype} as in {key}"
            raise archive.fault(other, expected, f"{images.shape[1:]} {images.dtype}", "Store all parts alike.")
    return np.ascontiguousarray(first if len(arrays) == 1 else np.concatenate([images for _, images in arrays]))
