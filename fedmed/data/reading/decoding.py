"""One case from its files to rows of images: channels together, slices chosen, brought to one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedmed.data.reading.formats import UnreadableError, read_pixels
from fedmed.data.reading.intensity import imaged
from fedmed.data.reading.masks import read_mask
from fedmed.data.reading.pixel_options import PixelReading, Slicing
from fedmed.data.reading.survey import Surveyed
from fedmed.data.resizing import Mode, fitted

Array = NDArray[Any]


def slices_of(surveyed: Surveyed, case: int, reading: PixelReading) -> NDArray[np.int64]:
    """Which slices of a case become images; raises UnreadableError where its mask has to be read and cannot be."""
    header, slicing = surveyed.headers[case], reading.slicing
    if not header.volume:
        return np.zeros(1, np.int64)
    rows: NDArray[np.int64] = np.arange(0, header.slices, slicing.step)
    if not slicing.drop_empty or (mask := _mask(surveyed, case, reading)) is None:
        return rows
    shown: NDArray[np.int64] = rows[mask[rows].reshape(len(rows), -1).any(1)]
    return shown


def images_of(surveyed: Surveyed, case: int, rows: NDArray[np.int64], reading: PixelReading) -> Array:
    """Images (S, C, H, W) of the chosen slices; raises UnreadableError where a file is damaged."""
    axis, listing = reading.slicing.axis or "axial", surveyed.listing
    frame = listing.frames[case] if listing.frames else None
    parts = []
    for path in listing.files[case]:
        try:
            pixels = read_pixels(path, axis, frame)
            parts.append(imaged(pixels, reading.intensity, whole=surveyed.whole, channels=surveyed.channels))
        except (UnreadableError, ValueError) as error:
            fix = error.fix if isinstance(error, UnreadableError) else ""
            raise UnreadableError(f"{path.name}: {error}", fix) from error
    together = parts[0] if len(parts) == 1 else np.concatenate(parts, 1)
    return _fitted(_with_neighbours(together, rows, reading.slicing), reading, "bilinear")


def mask_of(surveyed: Surveyed, case: int, rows: NDArray[np.int64], reading: PixelReading) -> Array | None:
    """The mask (S, H, W) of the chosen slices; None where the case has none."""
    mask = _mask(surveyed, case, reading)
    return None if mask is None else _fitted(mask[rows][:, None], reading, "nearest-exact")[:, 0]


def _mask(surveyed: Surveyed, case: int, reading: PixelReading) -> NDArray[np.uint8] | None:
    listing = surveyed.listing
    path = listing.masks[case] if listing.masks else None
    if path is None:
        return None
    frame = listing.frames[case] if listing.frames else None
    return read_mask(path, reading.slicing.axis or "axial", frame, reading.masks)


def _with_neighbours(slices: Array, rows: NDArray[np.int64], slicing: Slicing) -> Array:
    """The chosen slices, with those beside them as channels before and after; at the ends the last one again."""
    if not slicing.neighbours:
        return slices[rows]
    beside = rows[:, None] + np.arange(-slicing.neighbours, slicing.neighbours + 1)
    stacked: Array = slices[beside.clip(0, len(slices) - 1)]  # (S, 2n + 1, C, H, W)
    return stacked.reshape(len(rows), -1, *slices.shape[2:])


def _fitted(images: Array, reading: PixelReading, mode: Mode) -> Array:
    if reading.side is None:
        return images
    resized: Array = fitted(torch.from_numpy(np.ascontiguousarray(images)), reading.side, reading.fit, mode).numpy()
    return resized
