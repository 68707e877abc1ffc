"""Arrays that are not what fedmed asks for, or only just."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Array = NDArray[Any]
SIDE = 8

DTYPES = (
    *("u1", "i1", "<i2", ">i2", "<u4", ">i8", "<u8", "f2", ">f4", "f8"),
    *("g", "c8", "c16", "?", "U3", "S2", "M8[D]", "m8[s]", "V4", "O"),
)
ODD = (np.nan, np.inf, -np.inf, -1, 0, 1, 2, 128, 255, 256, 65535, -(2**63), 2**63, 1e38, 1e300, 0.5)


def columns(rng: Rng, rows: int) -> dict[str, Array]:
    """The arrays of a file: a layout with some of its columns, of which about one is foreign."""
    prefixes = LAYOUTS[int(rng.integers(len(LAYOUTS)))]
    chosen = [name for name in ("labels", "masks", "sites", "patients", "splits", "has_mask") if rng.random() < 0.5]
    arrays = {f"{p}{name}": MAKERS[name](rng, rows) for p in prefixes for name in ("images", *chosen)}
    names = list(arrays)
    for _ in range(int(rng.integers(0, 3))):
        name = names[int(rng.integers(len(names)))]
        arrays[name] = foreign(rng, arrays[name])
    if rng.random() < 0.1:
        arrays[("image", "label", "extra", "masks_", "train_images", "../x", "é")[int(rng.integers(7))]] = np.arange(3)
    return arrays


def foreign(rng: Rng, array: Array) -> Array:
    """Another array in its place: of another type, shape, length, order, or with odd values."""
    return FOREIGN[int(rng.integers(len(FOREIGN)))](rng, array)


def _typed(rng: Rng, array: Array) -> Array:
    with np.errstate(all="ignore"):
        try:
            return array.astype(DTYPES[int(rng.integers(len(DTYPES)))])
        except (TypeError, ValueError, RuntimeError):  # numpy's own words for values that it cannot turn
            return np.zeros(array.shape, "V4")


def _odd(rng: Rng, array: Array) -> Array:
    out = np.array(array, dtype=np.float64 if array.dtype.kind in "biuf" else object)
    flat = out.reshape(-1)
    if flat.size:
        for at in rng.integers(0, flat.size, int(rng.integers(1, 5))):
            flat[at] = ODD[int(rng.integers(len(ODD)))]
    return out


def _same(rng: Rng, array: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.full(array.shape, ODD[int(rng.integers(len(ODD)))])


def _shaped(rng: Rng, array: Array) -> Array:
    shapes = ((), (0,), (*array.shape, 1), (1, *array.shape), array.shape[::-1], array.shape[:1], (*array.shape, 0))
    shape = shapes[int(rng.integers(len(shapes)))]
    return np.resize(array, shape)


def _longer(rng: Rng, array: Array) -> Array:
    return np.resize(array, (int(rng.integers(0, 2 * len(array) + 2)), *array.shape[1:])) if array.ndim else array


def _fortran(rng: Rng, array: Array) -> Array:
    return np.asfortranarray(array)


def _structured(rng: Rng, array: Array) -> Array:
    return np.zeros(array.shape, np.dtype([("a", "u1"), ("b", "f4")]))


def _coded(rng: Rng, array: Array) -> Array:
    codes = rng.choice(np.array([0, 1, 2, 3, 10, 128, 255, 500, 99_999, 100_001]), 3)
    return codes[rng.integers(0, 3, array.shape)]


def _text(rng: Rng, array: Array) -> Array:
    words = np.array(["", "Berlin", "mean", "0", "-1", "train", "nan", "=1+1", "a\x00b", "Ülm", "x" * 50])
    chosen = words[rng.integers(0, len(words), array.shape)]
    return chosen if rng.random() < 0.7 else np.char.encode(chosen, "utf-8")


FOREIGN: tuple[Callable[[Rng, Array], Array], ...] = (
    _typed, _typed, _typed, _odd, _odd, _same, _shaped, _longer, _fortran, _structured, _coded, _text
)  # fmt: skip


def _images(rng: Rng, rows: int) -> Array:
    shape = ((rows, SIDE, SIDE), (rows, SIDE, SIDE, 3), (rows, SIDE, SIDE, 1))[int(rng.integers(3))]
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _labels(rng: Rng, rows: int) -> Array:
    wide = rng.random() < 0.3
    return rng.integers(0, 2, (rows, 3)) if wide else np.arange(rows) % 3


def _masks(rng: Rng, rows: int) -> Array:
    return rng.integers(0, 3, (rows, SIDE, SIDE))


MAKERS: Mapping[str, Callable[[Rng, int], Array]] = {
    "images": _images,
    "labels": _labels,
    "masks": _masks,
    "sites": lambda rng, rows: np.arange(rows) % 3,
    "patients": lambda rng, rows: np.arange(rows) // 2,
    "splits": lambda rng, rows: np.arange(rows) % 3,
    "has_mask": lambda rng, rows: np.arange(rows) % 4 > 0,
}

LAYOUTS = (("",), ("",), ("",), ("train_", "val_", "test_"), ("train_", "test_"), ("ulm_", "bonn_"), ("Train_",))
