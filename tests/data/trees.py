"""Small trees of images, in the shapes of public sets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)


def pixels(height: int = 8, width: int = 0, *, colours: int = 0) -> np.ndarray:
    """Random uint8 pixels (H, W) or (H, W, 3)."""
    return RNG.integers(0, 256, (height, width or height, *([colours] if colours else [])), dtype=np.uint8)


def picture(path: Path, values: np.ndarray | None = None) -> np.ndarray:
    """Writes an image, whose folders are made, and gives its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = pixels() if values is None else np.asarray(values)
    Image.fromarray(values).save(path)
    return values


def pictures(root: Path, paths: Iterable[str]) -> None:
    for path in paths:
        picture(root / path)


def table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Writes a CSV file of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def halves(side: int = 8, values: Sequence[int] = (0, 255)) -> np.ndarray:
    """A mask in bands of these values."""
    return np.repeat(np.array(values, np.uint8), -(-side // len(values)))[:side, None].repeat(side, 1)
