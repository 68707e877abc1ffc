"""PNG, JPEG, TIFF and BMP, by Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fedmed.data.reading.formats.contract import Axis, Header, Pixels, full_of

GREY = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "La": "L",
    "I": "I",
    "I;16": "I;16",
    "I;16B": "I;16B",
    "I;16L": "I;16L",
    "F": "F",
}
"""Modes of one channel, and the mode in which each is read; all others are read as RGB."""


def header(path: Path, axis: Axis) -> Header:
    """Size, pages and type, without decoding."""
    with Image.open(path) as image:
        pages = getattr(image, "n_frames", 1)
        mode = GREY.get(image.mode, "RGB")
        return Header(pages, image.height, image.width, 3 if mode == "RGB" else 1, mode in ("L", "RGB"), pages > 1)


def pixels(path: Path, axis: Axis, frame: int | None) -> Pixels:
    """All pages as slices."""
    with Image.open(path) as image:
        pages = []
        for page in range(getattr(image, "n_frames", 1)):
            if page:
                image.seek(page)
            pages.append(_page(image))
        values = np.stack(pages)
        return Pixels(values, full_of(values.dtype))


def raw(path: Path) -> NDArray[Any]:
    """A mask's values (S, H, W), or (S, H, W, C) where it is coloured; a palette's numbers rather than its colours."""
    with Image.open(path) as image:
        image.load()
        return np.asarray(image.convert("L") if image.mode in ("1", "LA") else image)[None]


def _page(image: Image.Image) -> NDArray[Any]:
    """One page (C, H, W)."""
    mode = GREY.get(image.mode, "RGB")
    values = np.asarray(image if image.mode == mode else image.convert(mode))
    if mode == "I" and image.format == "PNG":  # Pillow's older name for 16 bits
        values = values.astype(np.uint16)
    return values[None] if values.ndim == 2 else np.moveaxis(values, 2, 0)
