"""Multi-label images from images of one class each: mosaics that show several of them, as tiles on black."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fedmed.data.examples import Examples, Indices, Table
from fedmed.errors import refuse
from fedmed.rng import numpy_generator


def mosaic(table: Table, cells: int, seed: int) -> Table:
    """Mosaics of cells x cells places, half of which hold an image; their findings are the classes that they show.

    Every image is a tile of exactly one mosaic, among others of its split and site, so nothing leaks between these.
    x: (N, C, H, W) becomes (M, C, cells H, cells W) with M about 2 N / cells^2. seed: of who is placed where.
    Raises UserError for tables that are not multi-class, for volumes, and for those that name patients or attributes.
    """
    if table.task != "multiclass":
        raise refuse("dataset.mosaic", "null, as mosaics are made of images of one class each", cells)
    if table.examples.x.dim() != 4:
        raise refuse("dataset.mosaic", "null, as mosaics are made of images and these are volumes", cells)
    if table.patient is not None:
        raise refuse("dataset.mosaic", "null, as a mosaic would mix the patients that the file names", cells)
    if table.attributes:
        names = ", ".join(table.attributes)
        raise refuse("dataset.mosaic", f"null, as a mosaic would mix images of another {names}", cells)
    split = np.zeros(len(table), np.int8) if table.split is None else table.split
    site = np.zeros(len(table), np.int64) if table.site is None else table.site
    groups = sorted(set(zip(split.tolist(), site.tolist(), strict=True)))
    made = [_of(table, np.flatnonzero((split == s) & (site == p)), cells, (seed, s, p)) for s, p in groups]
    sizes = [len(y) for _, y in made]
    return replace(
        table,
        examples=Examples(torch.cat([x for x, _ in made]), torch.cat([y for _, y in made])),
        task="multilabel",
        split=None if table.split is None else np.repeat(np.array([s for s, _ in groups], np.int8), sizes),
        site=None if table.site is None else np.repeat(np.array([p for _, p in groups], np.int64), sizes),
    )


def _of(table: Table, rows: Indices, cells: int, seeds: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Mosaics (M, C, cells H, cells W) of the rows, and the classes that each shows (M, L)."""
    seed, split, site = seeds
    random = numpy_generator(seed, "mosaic", split, site)
    count = -(-2 * len(rows) // cells**2)
    tiles = torch.from_numpy(random.permutation(rows))
    places = torch.from_numpy(random.choice(count * cells**2, len(rows), replace=False))
    x, y = table.examples.x, table.examples.y
    channels, height, width = x.shape[1:]
    out = x.new_zeros(count, channels, cells, height, cells, width)
    image, place = places // cells**2, places % cells**2
    out[image, :, place // cells, :, place % cells] = x[tiles]
    shown = torch.zeros(count, table.classes)
    shown[image, y[tiles]] = 1
    return out.flatten(4).flatten(2, 3), shown
