"""A division that was made before, read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fedmed.data.examples import TRAIN, VAL, Indices
from fedmed.data.partition.contract import Partition, Pool
from fedmed.data.partition.lists import check, read
from fedmed.errors import refuse


@dataclass(frozen=True, kw_only=True)
class FilePartition(Partition):
    """A division read from a file, as `fedmed.data.partition.save` writes it; rows that it leaves out are not used.

    path: npz or JSON file with one list of row numbers per client: rows of the dataset, counted from 0 over all of its
       images in the order of the file, of which test rows may not be named.
    """

    remedies: ClassVar[tuple[str, ...]] = ("correct the file",)

    path: str = ""

    def number(self, pool: Pool, clients: int | None) -> int:
        count = len(read(Path(self.path)))
        if clients not in (None, count):
            raise refuse("clients", f"{count}, as {self.path} has", clients, "Leave clients out.")
        return count

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        parts = read(Path(self.path))
        split = np.where(pool.train, TRAIN, VAL).astype(np.int8) if pool.split is None else pool.split
        check(Path(self.path), parts, split)
        place = np.cumsum((split == TRAIN) | (split == VAL)) - 1
        return [place[part] for part in parts]
