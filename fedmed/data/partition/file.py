"""A division that was made before, read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import Partition, Pool
from fedmed.data.partition.lists import check, read
from fedmed.errors import refuse


@dataclass(frozen=True, kw_only=True)
class FilePartition(Partition):
    """A division read from a file, as `fedmed.data.partition.save` writes it; rows that it leaves out are not used.

    path: npz or JSON file with one list of row numbers per client, counted over training and validation rows.
    """

    remedy: ClassVar[str] = "Correct the file or lower partition.min_size."

    path: str = ""

    def number(self, pool: Pool, clients: int | None) -> int:
        count = len(read(Path(self.path)))
        if clients not in (None, count):
            raise refuse("clients", f"{count}, as {self.path} has", clients, "Leave clients out.")
        return count

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        parts = read(Path(self.path))
        check(Path(self.path), parts, len(pool))
        return parts
