"""Made-up tables of images for tests of splits and worlds; every image holds its row number in its first pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from fedmed.data.examples import Dataset, Examples, Table


@dataclass(frozen=True, kw_only=True)
class Given(Dataset):
    """A dataset that is already there."""

    table: Table = field(default=None)  # type: ignore[assignment]

    def load(self) -> Table:
        return self.table


def table(rows: int = 240, *, task: str = "multiclass", classes: int = 4, side: int = 8, **known: Any) -> Table:
    """known: split, site, patient, class_names, site_names."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(0, 256, (rows, 1, side, side)).astype(np.uint8))
    x[:, 0, 0, 0], x[:, 0, 0, 1] = torch.arange(rows) // 256, torch.arange(rows) % 256
    labels = {
        "multiclass": lambda: torch.arange(rows) % classes,
        "multilabel": lambda: torch.from_numpy(rng.integers(0, 2, (rows, classes))).float(),
        "segmentation": lambda: torch.from_numpy(rng.integers(0, classes, (rows, side, side)).astype(np.uint8)),
    }
    return Table(examples=Examples(x, labels[task]()), task=task, classes=classes, **known)


def rows_of(x: torch.Tensor) -> list[int]:
    """The row numbers of (unshifted) images."""
    return (x[:, 0, 0, 0].long() * 256 + x[:, 0, 0, 1].long()).tolist()
