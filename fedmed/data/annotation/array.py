"""Labels that the data holds beside the true ones: another reader's, or scribbles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.data.annotation.contract import Annotation
from fedmed.data.examples import Dataset, Examples, Indices, Table
from fedmed.data.given_labels import GivenLabels, share_of
from fedmed.errors import refuse
from fedmed.tasks import Task

TASKS = frozenset({"multiclass", "multilabel", "segmentation"})


@dataclass(frozen=True, kw_only=True)
class ArrayAnnotation(Annotation):
    """Clients train on labels that the data holds beside the true ones: another reader's, or scribbles.

    Tests and audits go by the true ones.
    array: name of the labels, in an npz file of an array beside images and masks or labels (train_<name>, ... beside
       train_images, ...); must be given.
    unseen: value that says that nobody annotated the entry (null: none; of findings NaN and -1 say so in any case).
    """

    tasks: ClassVar[frozenset[str]] = TASKS

    array: str = ""
    unseen: int | None = None

    def read(self, dataset: Dataset, table: Table) -> Annotation:
        if not self.array:
            fix = "Set annotation.array=<name>."
            raise refuse("annotation.array", "the name of labels beside the true ones", "nothing", fix)
        y, seen = dataset.labels_beside(self.array, self.unseen, table)
        size = table.examples.y.shape[1:]
        if table.task == "segmentation" and y.shape[1:] != size:
            y, seen = _nearest(y, size), None if seen is None else _nearest(seen, size)
        return _Labels(y=y.to(table.examples.y.dtype), seen=seen)


@dataclass(frozen=True, kw_only=True)
class _Labels(Annotation):
    """Labels as they were read, row by row of the dataset (N, ...), and which are known (None: all of them)."""

    tasks: ClassVar[frozenset[str]] = TASKS

    y: Tensor
    seen: Tensor | None

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        return [self._of(true, torch.from_numpy(own)) for true, own in zip(held, rows, strict=True)]

    def _of(self, true: Examples, rows: Tensor) -> GivenLabels:
        y, seen = self.y[rows], None if self.seen is None else self.seen[rows]
        known = torch.ones_like(y, dtype=torch.bool) if true.seen is None else true.seen.expand_as(y)
        right = (y == true.y) & known if seen is None else (y == true.y) & known & seen
        if true.y.ndim == 3:  # of masks, the share of the foreground: the background is no work
            known, right = known & (true.y > 0), right & (true.y > 0)
        return GivenLabels(y, seen, share_of(int(right.sum()), int(known.sum())))


def _nearest(y: Tensor, size: Sequence[int]) -> Tensor:
    """Masks, or which of their pixels are known, at another size: (N, H, W) of any type."""
    return F.interpolate(y[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].to(y.dtype)
