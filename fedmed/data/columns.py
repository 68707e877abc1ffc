"""Reading and checking the columns of an npz file: pixels, labels, masks, and what is known about each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.files import Archive
from fedmed.data.layouts import Part

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """The parts of one open file, read column by column over all parts.

    rows: number of images of each part.
    """

    archive: Archive
    parts: Sequence[Part]
    rows: Sequence[int]

    def has(self, column: str) -> bool:
        """Whether the file has that column; raises UserError where only some of its parts do."""
        having = [part for part in self.parts if column in part.keys]
        for part in self.parts:
            if having and column not in part.keys:
                images = part.keys["images"]
                wanted, given = images.removesuffix("images") + column, having[0].keys[column]
                raise self.archive.fault(wanted, f"{column} for {images} too", "none", f"The file has {given}.")
        return bool(having)

    def read(self, column: str) -> list[tuple[str, Array]]:
        """(key, array) of each part; raises UserError where an array has another length than its images."""
        found = []
        for part, rows in zip(self.parts, self.rows, strict=True):
            key = part.keys[column]
            array = self.archive.read(key)
            if array.ndim == 0 or len(array) != rows:
                got = f"{len(array) if array.ndim else 'a single number'} for {rows} in {part.keys['images']}"
                raise self.archive.fault(key, "one row per image", got, "Store both in the same order and number.")
            found.append((key, array))
        return found

    def codes(self, column: str) -> tuple[Indices, tuple[str, ...]]:
        """A column of names or numbers as numbers from 0 in sorted order (N,), and its values as text."""
        flat = []
        for key, array in self.read(column):
            if array.size != len(array):
                raise self.archive.fault(key, "one value per image", f"shape {array.shape}")
            flat.append(array.reshape(-1))
        values, codes = np.unique(np.concatenate(flat), return_inverse=True)
        return codes.reshape(-1).astype(np.int64), tuple(str(value) for value in values)

    def labels(self) -> Array:
        """Labels as written, whole numbers from 0, (N, L) int64."""
        found: list[Array] = []
        for key, array in self.read("labels"):
            flat = array.reshape(len(array), -1)
            if array.ndim > 2 or not flat.shape[1]:
                fix = "Pixel-wise labels are called masks."
                raise self.archive.fault(key, "labels (N,), (N, 1) or (N, findings)", f"shape {array.shape}", fix)
            if found and flat.shape[1] != found[0].shape[1]:
                raise self.archive.fault(key, f"{found[0].shape[1]} labels per image as before", flat.shape[1])
            found.append(whole_numbers(self.archive, key, flat).astype(np.int64))
        return np.concatenate(found)

    def masks(self, size: tuple[int, int]) -> tuple[Array, NDArray[np.bool_] | None]:
        """Masks (N, H, W) uint8, and which rows have one (N,), or None where all have; 0/255 becomes 0/1."""
        given = self._has_mask()
        masks, start = np.zeros((sum(self.rows), *size), np.uint8), 0
        for key, array in self.read("masks"):
            if array.ndim == 4 and array.shape[3] == 1:
                array = array[..., 0]
            if array.shape[1:] != size:
                fix = "Masks have one value per pixel, (N, H, W)."
                raise self.archive.fault(key, f"masks of {size} pixels like the images", array.shape[1:], fix)
            rows = slice(start, start + len(array))
            chosen = slice(None) if given is None else given[rows]
            masks[rows][chosen] = self._mask_values(key, array[chosen])
            start = rows.stop
        if set(np.flatnonzero(np.bincount(masks.reshape(-1), minlength=256))) <= {0, 255}:
            masks //= 255
        if masks.max() > 254:
            raise self._void()
        return masks, given

    def _has_mask(self) -> NDArray[np.bool_] | None:
        if not self.has("has_mask"):
            return None
        given = np.concatenate([whole_numbers(self.archive, key, array) for key, array in self.read("has_mask")])
        return None if given.all() else given.reshape(-1).astype(bool)

    def _mask_values(self, key: str, array: Array) -> Array:
        array = whole_numbers(self.archive, key, array)
        if array.size and array.max() > 255:
            fix = "Number the classes 0, 1, 2, ... (0 is background); instance numbers are not classes."
            raise self.archive.fault(key, "mask values 0 to 254", f"values up to {array.max()}", fix)
        return array

    def _void(self) -> Exception:
        fix = "Number the classes 0, 1, 2, ... (0 is background); give pixels without a class (void) the value 0."
        return self.archive.fault("masks", "mask values 0 to 254, or only 0 and 255", "255 among others", fix)


def whole_numbers(archive: Archive, key: str, array: Array) -> Array:
    """The array itself; raises UserError where it holds anything but whole numbers from 0."""
    if array.dtype.kind not in "buif":
        raise archive.fault(key, "whole numbers", f"values of type {array.dtype}", "Number the classes 0, 1, 2, ...")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
        odd = array[~(array == np.floor(array)) | ~np.isfinite(array)].reshape(-1)[0]
        raise archive.fault(key, "whole numbers", odd, "Number the classes 0, 1, 2, ...")
    if array.size and array.min() < 0:
        fix = "Number the classes 0, 1, 2, ...; leave images without a label out."
        raise archive.fault(key, "whole numbers from 0", array.min(), fix)
    return array


def read_pixels(archive: Archive, key: str) -> Array:
    """The images of one array (N, C, H, W), uint8 or float32; raises UserError as `pixels` does."""
    return pixels(archive, key, archive.read(key))


def pixels(archive: Archive, key: str, array: Array) -> Array:
    """Images (N, H, W), (N, H, W, 1) or (N, H, W, 3) as (N, C, H, W), uint8 or float32.

    Raises UserError where they are of another shape or type, empty, or not finite.
    """
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        fix = "Images are (N, H, W), or (N, H, W, C) with 1 or 3 channels last."
        raise archive.fault(key, "grey or RGB images", f"shape {array.shape}", fix)
    if not array.size:
        raise archive.fault(key, "at least one image", f"shape {array.shape}", "Leave an empty array out.")
    stacked = array[:, None] if array.ndim == 3 else np.moveaxis(array, 3, 1)
    if array.dtype == np.uint8:
        return stacked
    if array.dtype.kind == "f":
        return _finite(archive, key, stacked)
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return stacked.astype(np.uint8)
    span = f" from {array.min()} to {array.max()}" if array.dtype.kind in "iu" else ""
    fix = "Scale the pixels to 0..255 (uint8) or store them as float32."
    raise archive.fault(key, "uint8 or floating-point pixels", f"{array.dtype}{span}", fix)


def _finite(archive: Archive, key: str, array: Array) -> Array:
    images = array.astype(np.float32)
    good = np.isfinite(images).reshape(len(images), -1).all(1)
    if not good.all():
        rows = np.flatnonzero(~good)
        got = f"NaN or infinite values (or beyond float32) in {len(rows)} images, first in image {rows[0]}"
        raise archive.fault(key, "finite pixels", got, "Replace them or leave those images out.")
    return images


def stack(archive: Archive, arrays: Sequence[tuple[str, Array]]) -> Array:
    """Images of all parts (N, C, H, W), contiguous; raises UserError where parts differ in size, channels or type."""
    key, first = arrays[0]
    for other, images in arrays[1:]:
        if (images.shape[1:], images.dtype) != (first.shape[1:], first.dtype):
            expected = f"images (C, H, W) {first.shape[1:]} {first.dtype} as in {key}"
            raise archive.fault(other, expected, f"{images.shape[1:]} {images.dtype}", "Store all parts alike.")
    return np.ascontiguousarray(first if len(arrays) == 1 else np.concatenate([images for _, images in arrays]))
