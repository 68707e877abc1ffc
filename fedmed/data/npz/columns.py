"""Reading and checking the columns of an npz file: labels, masks, and what is known about each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.npz.archive import NpzArchive
from fedmed.data.npz.layouts import ArrayGroup
from fedmed.data.npz.values import (
    Array,
    Reading,
    ambiguous_values,
    as_names,
    as_text,
    at_least_two,
    check_known,
    in_words,
    is_ambiguous,
    whole_numbers,
)


class LoadedMasks(NamedTuple):
    """Masks (N, H, W) or (N, D, H, W) uint8, which rows have one (N,) (None: all), how many values, and their names."""

    y: NDArray[np.uint8]
    given: NDArray[np.bool_] | None
    number: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NpzColumns:
    """The columns of one open file (labels, masks, sites, ...), each read over all groups of arrays.

    rows: number of images of each part.
    """

    archive: NpzArchive
    parts: Sequence[ArrayGroup]
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

    def joined(self, column: str) -> Array:
        """One value per image, of all parts (N,); raises UserError where there are several, or types do not mix."""
        flat = []
        for key, array in self.read(column):
            if array.size != len(array):
                raise self.archive.fault(key, "one value per image", f"shape {array.shape}")
            flat.append((key, array.reshape(-1)))
        return self._together(flat)

    def codes(self, column: str) -> tuple[Indices, tuple[str, ...]]:
        """A column of names or numbers as numbers from 0 in sorted order (N,), and its values as text."""
        joined = self.joined(column)
        check_known(self.archive, self.parts[0].keys[column], joined, column.removesuffix("s"))
        values, codes = np.unique(joined, return_inverse=True)
        return codes.reshape(-1).astype(np.int64), as_names(values)

    def labels(self) -> Array:
        """Labels as written (N, L), of any type."""
        found: list[tuple[str, Array]] = []
        for key, array in self.read("labels"):
            flat = array.reshape(len(array), -1)
            if array.ndim > 2 or not flat.shape[1]:
                fix = "Pixel-wise labels are called masks."
                raise self.archive.fault(key, "labels (N,), (N, 1) or (N, findings)", f"shape {array.shape}", fix)
            if found and flat.shape[1] != found[0][1].shape[1]:
                raise self.archive.fault(key, f"{found[0][1].shape[1]} labels per image as before", flat.shape[1])
            found.append((key, flat))
        return self._together(found)

    def spacing(self, axes: int) -> NDArray[np.float64] | None:
        """Distances between pixels in mm (N, axes); None where the file has none."""
        if not self.has("spacing"):
            return None
        found = []
        for key, array in self.read("spacing"):
            sound = array.shape[1:] == (axes,) and array.dtype.kind in "iuf"
            if not sound or not (np.isfinite(array) & (array > 0)).all():
                got = f"shape {array.shape} of {array.dtype}" if not sound else "values that are not"
                fix = "One row for each image: mm from pixel to pixel along each of its axes."
                raise self.archive.fault(key, f"distances (N, {axes}), all above 0", got, fix)
            found.append(array.astype(np.float64))
        return np.concatenate(found)

    def masks(self, size: tuple[int, ...], reading: Reading) -> LoadedMasks:
        """The masks of all images of that size (pixels along each axis); 0/255 becomes 0/1.

        reading: as for `fedmed.data.npz.values.classes_of`.
        """
        given = self._has_mask()
        arrays, start = [], 0
        for key, array in self.read("masks"):
            if array.ndim == len(size) + 2 and array.shape[-1] == 1:
                array = array[..., 0]
            if array.shape[1:] != size:
                fix = f"Masks have one value per pixel, (N, {'D, ' * (len(size) == 3)}H, W)."
                raise self.archive.fault(key, f"masks of {size} pixels like the images", array.shape[1:], fix)
            chosen = slice(None) if given is None else given[start : start + len(array)]
            arrays.append((chosen, self._mask_values(key, array[chosen], reading)))
            start += len(array)
        found = np.unique(np.concatenate([_present(array) for _, array in arrays]))
        names = self._mask_names(found, reading)
        masks, start = np.zeros((sum(self.rows), *size), np.uint8), 0
        for rows, (chosen, array) in zip(self.rows, arrays, strict=True):
            masks[start : start + rows][chosen] = np.searchsorted(found, array) if names else array
            start += rows
        if not names and found[-1] == 255:
            masks //= 255
        return LoadedMasks(masks, given, len(names) or max(2, int(masks.max()) + 1), names)

    def _together(self, arrays: Sequence[tuple[str, Array]]) -> Array:
        """The arrays of all parts as one; raises UserError where some are text and others are numbers."""
        text = [array.dtype.kind in "SU" for _, array in arrays]
        if any(text) and not all(text):
            raise self.archive.fault(arrays[text.index(not text[0])][0], "text or numbers like the other parts", "both")
        try:
            return np.concatenate([array for _, array in arrays])
        except TypeError as error:
            raise self.archive.fault(arrays[0][0], "types that can be joined over all parts", error) from error

    def _has_mask(self) -> NDArray[np.bool_] | None:
        if not self.has("has_mask"):
            return None
        given = self.joined("has_mask")
        if given.dtype.kind not in "buif" or not np.isin(given, (0, 1)).all():
            got = f"values of type {given.dtype}" if given.dtype.kind not in "buif" else in_words(np.unique(given))
            raise self.archive.fault(self.parts[0].keys["has_mask"], "true or false (1 or 0) per image", got)
        return None if given.all() else given.astype(bool)

    def _mask_values(self, key: str, array: Array, reading: Reading) -> Array:
        if reading != "codes":
            return whole_numbers(self.archive, key, array)
        check_known(self.archive, key, array, "mask value")
        return array

    def _mask_names(self, found: Array, reading: Reading) -> tuple[str, ...]:
        """Names of the mask values where these are codes; raises UserError where values are of no use, or ambiguous."""
        key = self.parts[0].keys["masks"]
        if not len(found):
            raise self.archive.fault(key, "at least one mask", "none", "Say which images have one in has_mask.")
        if reading == "codes":
            at_least_two(self.archive, key, found)
            if len(found) > 255:
                got = f"{len(found)} mask values"
                raise self.archive.fault(key, "at most 255", got, "Instance numbers are not classes.")
            return as_names(found)
        last = int(found[-1])
        if last > 255:
            fix = "Number the classes 0, 1, 2, ... (0 is background); instance numbers are not classes."
            fix += " dataset.values=codes makes every value a class."
            raise self.archive.fault(key, "mask values 0 to 254", f"values up to {as_text(found[-1])}", fix)
        at_least_two(self.archive, key, found)
        if last == 255 and len(found) > 1 + (found[0] == 0):
            raise self._void(key, found)
        if reading == "auto" and last < 255 and is_ambiguous(found):
            raise ambiguous_values(self.archive, key, found, f"{last + 1} mask values from 0 (background) to {last}")
        return ()

    def _void(self, key: str, found: Array) -> Exception:
        fix = (
            f"Set dataset.values=codes for {len(found)} classes named {in_words(found)} (the first is background), or "
            "number the classes 0, 1, 2, ... and give pixels without a class (void) the value 0."
        )
        return self.archive.fault(key, "mask values 0 to 254, or only 0 and 255", "255 among others", fix)


def _present(array: Array) -> Array:
    """The values that occur, ascending."""
    if array.dtype != np.uint8:
        return np.unique(array)
    counts = np.zeros(256, np.int64)
    for images in np.array_split(array, max(1, array.size >> 22)):  # counting makes a copy of eight bytes a pixel
        counts += np.bincount(images.reshape(-1), minlength=256)
    return np.flatnonzero(counts)
