"""Incomplete masks: one mask as a hurried annotator would have drawn it, and how much of the truth it holds.

Dropping whole objects is the problem of FedIA (Xiang et al., MICCAI 2024, arXiv 2407.02280).
"""

from __future__ import annotations

from math import floor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices

Mask = NDArray[Any]
"""(H, W), or (D, H, W) of a volume: class per pixel, 0 the background."""


class IncompleteMask(NamedTuple):
    """A mask as it was drawn, how many objects or pixels of the truth it holds, and how many the truth has."""

    mask: Mask
    given: int
    true: int


def chosen(count: int, share: float, exact: bool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of `count` things are annotated, (count,).

    exact: max(1, floor(share * count + 1/2)) of them, uniformly; else each with probability `share`.
    """
    if not exact:
        return rng.random(count) < share
    return rng.permutation(count) < max(1, floor(share * count + 0.5))


def drop_objects(mask: Mask, share: float, exact: bool, connectivity: int, rng: np.random.Generator) -> IncompleteMask:
    """Keeps a share of the connected objects; the others become background."""
    label, count = objects(mask, connectivity)
    return _only(mask, label, chosen(count, share, exact, rng))


def overlook(mask: Mask, share: float, connectivity: int, image: NDArray[Any] | None) -> IncompleteMask:
    """Keeps a share of the connected objects, at least one, those that are easiest to see.

    image: (C, ...), by whose contrast they are; None: by their size (pixels).
    """
    label, count = objects(mask, connectivity)
    ease = np.bincount(label.ravel(), minlength=count + 1)[1:] if image is None else _contrast(label, count, image)
    kept = np.zeros(count, bool)
    kept[np.argsort(-ease, kind="stable")[: max(1, floor(share * count + 0.5))]] = True
    return _only(mask, label, kept)


def _only(mask: Mask, label: Indices, kept: NDArray[np.bool_]) -> IncompleteMask:
    return IncompleteMask(mask * np.append(False, kept)[label], int(kept.sum()), len(kept))


def _contrast(label: Indices, count: int, image: NDArray[Any], ring: int = 2) -> NDArray[np.float64]:
    """How far the mean grey of every object is from that of the background within `ring` pixels of it, (count,)."""
    from scipy.ndimage import binary_dilation, find_objects

    grey, found = image.astype(np.float64).mean(0), np.zeros(count)
    for number, box in enumerate(find_objects(label, count)):
        around = tuple(slice(max(0, side.start - ring), side.stop + ring) for side in box)
        inside, outside = label[around] == number + 1, label[around] == 0
        outside &= binary_dilation(inside, iterations=ring)
        values = grey[around]
        found[number] = abs(values[inside].mean() - values[outside].mean()) if outside.any() else np.inf
    return found


def erode(mask: Mask, share: float, connectivity: int, rng: np.random.Generator) -> IncompleteMask:
    """Shrinks every object from its boundary until `share` of its pixels, and at least one, remain."""
    label, count = objects(mask, connectivity)
    inside = np.flatnonzero(label)
    depth = _depth(mask).ravel()[inside]
    owner = label.ravel()[inside]
    order = np.lexsort((rng.random(len(inside)), -depth, owner))
    size = np.bincount(owner, minlength=count + 1)
    rank = np.arange(len(inside)) - (np.cumsum(size) - size)[owner[order]]
    keep = np.maximum(1, np.floor(share * size + 0.5))
    drawn = np.zeros(mask.size, mask.dtype)
    left = inside[order[rank < keep[owner[order]]]]
    drawn[left] = mask.ravel()[left]
    return IncompleteMask(drawn.reshape(mask.shape), len(left), len(inside))


def move(mask: Mask, share: float, rng: np.random.Generator) -> IncompleteMask:
    """Moves the boundaries by a smooth random field, just so far that about `share` of the foreground stays covered."""
    from scipy.ndimage import gaussian_filter

    true = int(np.count_nonzero(mask))
    side = max(mask.shape)
    rough = rng.standard_normal((mask.ndim, *mask.shape))
    field = gaussian_filter(rough, (0, *[side / 16] * mask.ndim))
    field /= np.sqrt((field**2).mean()) + 1e-12
    near, far = 0.0, side / 4  # lengths of the displacement in pixels
    for _ in range(12):
        middle = (near + far) / 2
        held = _overlap(mask, _displaced(mask, field * middle))
        near, far = (middle, far) if held > share * true else (near, middle)
    drawn = _displaced(mask, field * near)
    return IncompleteMask(drawn, _overlap(mask, drawn), true)


def objects(mask: Mask, connectivity: int) -> tuple[Indices, int]:
    """The number of the connected object of every pixel, shaped as the mask, 0 outside, and how many objects there are.

    connectivity: 4 or 8 neighbours, which in a volume are 6 or 26; pixels of different classes are never one object.
    """
    from scipy.ndimage import generate_binary_structure, label

    structure = generate_binary_structure(mask.ndim, 1 if connectivity == 4 else mask.ndim)
    numbers, count = np.zeros(mask.shape, np.int64), 0
    for value in _classes(mask):
        found = np.zeros(mask.shape, np.int64)
        label(mask == value, structure, output=found)
        numbers += np.where(found > 0, found + count, 0)
        count += int(found.max(initial=0))
    return numbers, count


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Distance of every pixel to the nearest pixel of another class (pixels), shaped as the mask."""
    from scipy.ndimage import distance_transform_edt

    depth = np.zeros(mask.shape)
    for value in _classes(mask):
        depth += np.asarray(distance_transform_edt(mask == value))
    return depth


def _classes(mask: Mask) -> list[int]:
    present: list[int] = np.flatnonzero(np.bincount(mask.ravel())).tolist()
    return [value for value in present if value]


def _displaced(mask: Mask, field: NDArray[np.float64]) -> Mask:
    """The mask read at every pixel plus its displacement, nearest pixel, edges repeated."""
    where = np.indices(mask.shape) + np.rint(field).astype(np.int64)
    drawn: Mask = mask[tuple(np.clip(axis, 0, size - 1) for axis, size in zip(where, mask.shape, strict=True))]
    return drawn


def _overlap(mask: Mask, drawn: Mask) -> int:
    return int(np.count_nonzero((mask == drawn) & (mask > 0)))
