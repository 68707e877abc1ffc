"""Clients that hold what hospitals held: a published table of images per client and class, on any images."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import ImageMetadata, Partition
from fedmed.data.partition.spread import spread
from fedmed.errors import refuse

FEDISIC6 = np.array(
    [
        [2279, 3363, 2245, 606, 923, 97, 87, 330],  # BCN
        [20, 2977, 2, 0, 96, 23, 45, 0],  # vidir_molemax
        [533, 1470, 174, 20, 379, 40, 64, 11],  # vidir_modern
        [276, 649, 223, 86, 406, 20, 3, 144],  # rosendahl
        [166, 349, 0, 0, 140, 0, 0, 0],  # MSK4
        [58, 276, 5, 0, 6, 4, 2, 0],  # vienna_dias
    ]
)
"""Fed-ISIC2019 by centre (FLamby, Ogier du Terrail et al., NeurIPS 2022, arXiv 2210.04620).

Classes: MEL, NV, BCC, AK, BKL, DF, VASC, SCC.
"""

ICH10 = np.array(
    [
        [0, 0, 1112, 2245, 4033],
        [88, 5522, 0, 1926, 0],
        [89, 1122, 2339, 0, 7627],
        [0, 2430, 0, 3574, 2944],
        [132, 518, 0, 930, 1828],
        [269, 0, 0, 1034, 1834],
        [538, 928, 2662, 0, 0],
        [9, 502, 0, 0, 2869],
        [69, 62, 0, 1635, 957],
        [4, 62, 1017, 429, 1033],
    ]
)
"""RSNA intracranial haemorrhage among ten clients, as FedNPR's authors divided it (arXiv 2407.12446).

The order of the five classes is not documented; the smallest is presumably epidural.
"""

TABLES = {"fedisic6": FEDISIC6, "ich10": ICH10}
"""Tables of training images per client (rows) and class (columns), as published experiments had them."""

STEPS = 1_000_000
"""Steps in which the factor of a table is sought."""


@dataclass(frozen=True, kw_only=True)
class CountTablePartition(Partition):
    """Every client holds as many images of each class as a published table says, scaled down alike where data are few.

    Rows beyond the scaled table are not used; patients stay together, which makes the counts approximate.
    table: fedisic6 (Fed-ISIC2019: 6 clients, 8 classes), or ich10 (RSNA haemorrhage: 10 clients, 5 classes).
    """

    remedies: ClassVar[tuple[str, ...]] = ("use more images",)

    table: Literal["fedisic6", "ich10"] = "fedisic6"

    def number(self, images: ImageMetadata, clients: int | None) -> int:
        count = len(TABLES[self.table])
        if clients not in (None, count):
            raise refuse("clients", f"{count}, as {self.table} has", clients, "Leave clients out.")
        return count

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        table = TABLES[self.table]  # (clients, classes)
        self._check(images, table.shape[1])
        held = np.bincount(images.labels[images.train], minlength=table.shape[1])
        shares = scaled(table, held).T / held[:, None]  # (classes, clients)
        unused = 1 - shares.sum(1, keepdims=True)
        return spread(images, images.labels, np.concatenate([shares, unused], 1), rng)[:clients]

    def _check(self, images: ImageMetadata, classes: int) -> None:
        fix = "Choose partition=dirichlet, or data with the table's classes."
        if images.labels.ndim != 1:
            raise refuse("partition", f"one class per image for {self.table}", "several labels per image", fix)
        found = int(images.labels.max()) + 1
        if found != classes:
            raise refuse("partition.table", f"{classes} classes in the data for {self.table}", found, fix)
        held, holders = np.bincount(images.labels[images.train], minlength=classes), (TABLES[self.table] > 0).sum(0)
        for c in np.flatnonzero(held < holders):
            expected = f"a training image of class {c} for each of the {holders[c]} clients that hold it"
            raise refuse("partition.table", expected, f"{held[c]} images", "Use more images.")


def scaled(table: NDArray[np.int64], held: NDArray[np.int64]) -> NDArray[np.int64]:
    """The table (K, C) times the largest factor, at most 1, with which no class needs more images than are held (C,).

    Counts are rounded, and what was above zero is at least 1; there must be images enough for that.
    """

    def times(step: int) -> NDArray[np.int64]:
        found: NDArray[np.int64] = np.maximum(np.rint(table * (step / STEPS)), table > 0).astype(np.int64)
        return found

    fitting = bisect_right(range(1, STEPS + 1), False, key=lambda step: bool((times(step).sum(0) > held).any()))
    return times(fitting)
