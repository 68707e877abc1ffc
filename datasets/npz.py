"""Images of your own: any npz file with images and labels or masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge

from fedmed.data.examples import Dataset, Examples, Table
from fedmed.data.mosaic import mosaic
from fedmed.data.npz.archive import NpzArchive
from fedmed.data.npz.beside import labels_beside
from fedmed.data.npz.columns import NpzColumns
from fedmed.data.npz.layouts import ArrayGroup, array_groups
from fedmed.data.npz.opening import open_npz
from fedmed.data.npz.pixels import read_pixels, stack
from fedmed.data.npz.provenance import attributes_of, patients_of, sites_of, splits_of
from fedmed.data.npz.values import classes_of, findings_of, is_one_hot
from fedmed.errors import refuse


@dataclass(frozen=True, kw_only=True)
class Npz(Dataset):
    """Any npz file: MedMNIST's six arrays, or images with labels or masks, or one pair of arrays per site.

    path: the file, from the current folder or absolute; must be given.
    target: what to learn: labels, masks, or auto (labels if the file has labels, else masks).
    task: multiclass, multilabel, segmentation, or auto (masks: segmentation; several labels per image: multilabel;
        else multiclass).
    values: what label and mask values are: numbers (of classes, from 0), codes (the values that occur are the classes,
        in sorted order, which keep them as names; of masks the first is the background), or auto (numbers, and refused
        where values may be codes; text is codes).
    patients: whether a patient's value that recurs in another array or at another site is the same patient (shared) or
        another one (separate); auto: refused where values recur.
    volumes: whether images are volumes (N, D, H, W), or (N, D, H, W, C) with channels last; their shapes do not tell.
    mosaic: cells per side of multi-label mosaics made of single-label images (>= 2, null: images as they are);
        an image then is cells times as wide and high.
    """

    path: str = ""
    target: Literal["auto", "labels", "masks"] = "auto"
    task: Literal["auto", "multiclass", "multilabel", "segmentation"] = "auto"
    values: Literal["auto", "numbers", "codes"] = "auto"
    patients: Literal["auto", "shared", "separate"] = "auto"
    volumes: bool = False
    mosaic: Annotated[int, Ge(2)] | None = None

    def load(self) -> Table:
        """The file as a table; raises UserError, which names file and array, where it is not usable."""
        table = self._read()
        return table if self.mosaic is None else mosaic(table, self.mosaic, self.split_seed)

    def labels_beside(self, name: str, unseen: int | None, table: Table) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The labels in arrays of another name, of all splits or sites; raises UserError as `load` does."""
        if self.mosaic is not None:
            raise refuse("annotation", "dataset.mosaic=null, as mosaics have the labels of their cells", self.mosaic)
        with open_npz(Path(self.path).expanduser(), "dataset.path") as archive:
            y, seen = labels_beside(archive, name, unseen, table)
        return torch.from_numpy(y), None if seen is None else torch.from_numpy(seen)

    def _read(self) -> Table:
        if not self.path:
            raise refuse("dataset.path", "an npz file", "nothing", "Set dataset.path=<file>.npz.")
        with open_npz(Path(self.path).expanduser(), "dataset.path") as archive:
            parts = array_groups(archive)
            column = self._column(archive, parts)
            keys = [part.keys["images"] for part in parts]
            images = [(key, read_pixels(archive, key, volumes=self.volumes)) for key in keys]
            columns = NpzColumns(archive, parts, [len(array) for _, array in images])
            x = torch.from_numpy(stack(archive, images))
            split = splits_of(columns)
            site, site_names = sites_of(columns)
            return Table(
                **(self._masked(columns, x) if column == "masks" else self._labelled(columns, x)),
                split=split,
                site=site,
                patient=patients_of(columns, site, self.patients),
                spacing=columns.spacing(x.dim() - 2),
                site_names=site_names,
                attributes=attributes_of(columns),
            )

    def _column(self, archive: NpzArchive, parts: Sequence[ArrayGroup]) -> str:
        """The column to learn, present in every part."""
        column = {"auto": self.target, "segmentation": "masks"}.get(self.task, "labels")
        if self.target not in ("auto", column):
            fix = "Segmentation learns masks; the other tasks learn labels."
            raise refuse("dataset.target", f"{column} for dataset.task={self.task}", self.target, fix)
        if column == "auto":
            given = {name for part in parts for name in part.keys}
            column = "masks" if "masks" in given and "labels" not in given else "labels"
        for part in parts:
            if column not in part.keys:
                wanted = part.keys["images"].removesuffix("images") + column
                found = ", ".join(archive.keys)
                raise archive.fault(wanted, f"{column} beside {part.keys['images']}", f"only {found}", "Add them.")
        return column

    def _labelled(self, columns: NpzColumns, x: torch.Tensor) -> dict[str, Any]:
        """Of a table: examples with one class or several findings per image, their task, and its classes."""
        archive, where, values = columns.archive, columns.parts[0].keys["labels"], columns.labels()  # (N, L)
        if self.task == "multilabel" or (self.task == "auto" and values.shape[1] > 1):
            if self.values == "codes":
                raise refuse("dataset.values", "auto or numbers, as findings are 0 or 1", "codes")
            if self.task == "auto" and is_one_hot(values):
                fix = (
                    "Set dataset.task=multiclass for one class per image (one-hot), or dataset.task=multilabel for "
                    "findings of which each image happens to have one."
                )
                raise archive.fault(where, "labels of one meaning", "exactly one 1 in every row", fix)
            found, seen = findings_of(archive, where, values)
            known = None if seen is None else torch.from_numpy(seen)
            examples = Examples(x, torch.from_numpy(found), known)
            return {"examples": examples, "task": "multilabel", "classes": found.shape[1]}
        if values.shape[1] > 1:
            if not is_one_hot(values):
                fix = "Set dataset.task=multilabel, or store the class number."
                raise archive.fault(where, "one class per image", f"{values.shape[1]} values per image", fix)
            examples = Examples(x, torch.from_numpy(values.argmax(1)))
            return {"examples": examples, "task": "multiclass", "classes": values.shape[1]}
        y, classes, names = classes_of(archive, where, values[:, 0], self.values)
        examples = Examples(x, torch.from_numpy(y))
        return {"examples": examples, "task": "multiclass", "classes": classes, "class_names": names}

    def _masked(self, columns: NpzColumns, x: torch.Tensor) -> dict[str, Any]:
        """Of a table: examples with a mask per image, their task, and its mask values."""
        size = tuple(x.shape[2:])
        masks = columns.masks(size, self.values)
        seen = None if masks.given is None else torch.from_numpy(masks.given.reshape(-1, *[1] * len(size)))
        examples = Examples(x, torch.from_numpy(masks.y), seen)
        return {"examples": examples, "task": "segmentation", "classes": masks.number, "class_names": masks.names}
