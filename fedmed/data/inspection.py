"""Looking through a set of images before anybody trains on it: counts, repeated images, patients in two splits."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from fedmed.data.examples import TEST, TRAIN, VAL, Table, name_of
from fedmed.data.prepare import presence, split_of

SPLITS = {TRAIN: "train", VAL: "val", TEST: "test"}

CHUNK = 1 << 26
"""Bytes of images that are in work at a time."""


@dataclass(frozen=True, kw_only=True)
class SiteCounts:
    """One site: its images in each split (3,), and how many of its images show each class (C,)."""

    name: str
    splits: NDArray[np.int64]
    classes: NDArray[np.int64]
    unlabelled: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a set of images holds.

    shape: of an image (C, H, W) or a volume (C, D, H, W). pixels: type, least and greatest value. classes: names.
    sites: of all images. repeated: images whose pixels another one has. across: how many groups of equal images lie in
    several splits, and rows of the first ones. patients: how many patients have images in several splits.
    """

    images: int
    shape: tuple[int, ...]
    pixels: tuple[str, float, float]
    classes: tuple[str, ...]
    sites: tuple[SiteCounts, ...]
    repeated: int
    across: tuple[tuple[int, ...], ...]
    patients: int

    def lines(self) -> list[str]:
        """The findings as text, a line each."""
        kind, low, high = self.pixels
        shape = " x ".join(map(str, self.shape))
        what = "images (C x H x W)" if len(self.shape) == 3 else "volumes (C x D x H x W)"
        found = [f"{self.images} {what} {shape}, {kind} from {low:g} to {high:g}", ""]
        head = ["site", *SPLITS.values(), *self.classes, "unlabelled"]
        rows = [[s.name, *map(str, s.splits), *map(str, s.classes), str(s.unlabelled)] for s in self.sites]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        table = [[text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in (head, *rows)]
        found += ["  ".join(row).rstrip() for row in table]
        found += ["", f"images that are there more than once: {self.repeated}"]
        found += [f"equal images in several splits: {len(self.across)}{self._first()}"]
        return [*found, f"patients in several splits: {self.patients}"]

    def _first(self) -> str:
        return f", the first are images {' and '.join(map(str, self.across[0]))}" if self.across else ""


def inspect(table: Table) -> Inspection:
    """Looks through a prepared table."""
    split = split_of(table)
    groups, low, high = _equal_images(table)
    several = [rows for rows in groups if len({int(split[row]) for row in rows}) > 1]
    names = table.class_names or tuple(f"class {number}" for number in range(table.classes))
    kind = str(table.examples.x.dtype).removeprefix("torch.")
    return Inspection(
        images=len(table),
        shape=tuple(table.examples.x.shape[1:]),
        pixels=(kind, low, high),
        classes=names,
        sites=tuple(_sites(table, split)),
        repeated=sum(map(len, groups)),
        across=tuple(several),
        patients=_patients_in_several(table, split),
    )


def _equal_images(table: Table) -> tuple[list[tuple[int, ...]], float, float]:
    """Rows of equal pixels, as groups of two and more; the least and the greatest pixel."""
    x, found = table.examples.x, dict[bytes, list[int]]()
    size = max(1, x.element_size() * x.shape[1:].numel())
    low, high, row = float("inf"), float("-inf"), 0
    for rows in torch.arange(len(x)).split(max(1, CHUNK // size)):
        part = np.ascontiguousarray(x[rows].numpy())
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        for image in part:
            found.setdefault(blake2b(image.data, digest_size=16).digest(), []).append(row)
            row += 1
    return [tuple(rows) for rows in found.values() if len(rows) > 1], low, high


def _sites(table: Table, split: NDArray[np.int8]) -> list[SiteCounts]:
    shown = presence(table.examples, table.task, table.classes)
    site = np.zeros(len(table), np.int64) if table.site is None else table.site
    seen = table.examples.seen
    known = np.ones(len(table), np.bool_) if seen is None else seen.flatten(1).any(1).numpy()
    counted = []
    for number in np.unique(site):
        rows = site == number
        counted.append(
            SiteCounts(
                name="all" if table.site is None else name_of(int(number), table.site_names),
                splits=np.array([(split[rows] == part).sum() for part in SPLITS]),
                classes=(shown & known[:, None])[rows].sum(0),
                unlabelled=int((~known[rows]).sum()),
            )
        )
    return counted


def _patients_in_several(table: Table, split: NDArray[np.int8]) -> int:
    if table.patient is None:
        return 0
    used = split >= 0
    pairs = np.unique(np.stack([table.patient[used], split[used].astype(np.int64)], 1), axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())
