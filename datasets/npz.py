"""Images of your own: any npz file with images and labels or masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray

from fedmed.data.columns import Columns, read_pixels, stack
from fedmed.data.examples import TRAIN, Dataset, Examples, Indices, Table
from fedmed.data.files import Archive, open_npz
from fedmed.data.layouts import Part, parts_of
from fedmed.data.mosaic import mosaic
from fedmed.errors import refuse

Kind = Literal["multiclass", "multilabel", "segmentation"]


@dataclass(frozen=True, kw_only=True)
class Npz(Dataset):
    """Any npz file: MedMNIST's six arrays, or images with labels or masks, or one pair of arrays per site.

    path: the file, from the current folder or absolute; must be given.
    target: what to learn: labels, masks, or auto (labels if the file has labels, else masks).
    task: multiclass, multilabel, segmentation, or auto (masks: segmentation; several labels per image: multilabel;
        else multiclass).
    mosaic: cells per side of multi-label mosaics made of single-label images (>= 2, null: images as they are);
        an image then is cells times as wide and high.
    """

    path: str = ""
    target: Literal["auto", "labels", "masks"] = "auto"
    task: Literal["auto", "multiclass", "multilabel", "segmentation"] = "auto"
    mosaic: Annotated[int, Ge(2)] | None = None

    def load(self) -> Table:
        """The file as a table; raises UserError, which names file and array, where it is not usable."""
        table = self._read()
        return table if self.mosaic is None else mosaic(table, self.mosaic, self.split_seed)

    def _read(self) -> Table:
        if not self.path:
            raise refuse("dataset.path", "an npz file", "nothing", "Set dataset.path=<file>.npz.")
        with open_npz(Path(self.path).expanduser(), "dataset.path") as archive:
            parts = parts_of(archive)
            column = self._column(archive, parts)
            images = [(part.keys["images"], read_pixels(archive, part.keys["images"])) for part in parts]
            columns = Columns(archive, parts, [len(array) for _, array in images])
            x = torch.from_numpy(stack(archive, images))
            split = _split(columns)
            examples, task, classes = _masked(columns, x) if column == "masks" else _labelled(columns, x, self.task)
            site, site_names = _sites(columns)
            return Table(
                examples=examples,
                task=task,
                classes=classes,
                split=split,
                site=site,
                patient=columns.codes("patients")[0] if columns.has("patients") else None,
                site_names=site_names,
            )

    def _column(self, archive: Archive, parts: Sequence[Part]) -> str:
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


def _labelled(columns: Columns, x: torch.Tensor, wanted: str) -> tuple[Examples, Kind, int]:
    """Examples with one class or several findings per image, their task, and its number of classes."""
    y = columns.labels()  # (N, L)
    where = columns.parts[0].keys["labels"]
    if wanted == "multilabel" or (wanted == "auto" and y.shape[1] > 1):
        if y.max() > 1:
            fix = "Multi-label rows hold 0 or 1 per finding."
            raise columns.archive.fault(where, "labels 0 or 1", f"values up to {y.max()}", fix)
        return Examples(x, torch.from_numpy(y.astype(np.float32))), "multilabel", y.shape[1]
    if y.shape[1] > 1:
        fix = "Set dataset.task=multilabel, or store the class number."
        raise columns.archive.fault(where, "one class per image", f"{y.shape[1]} values per image", fix)
    return Examples(x, torch.from_numpy(y[:, 0].copy())), "multiclass", _classes(columns, where, y)


def _masked(columns: Columns, x: torch.Tensor) -> tuple[Examples, Kind, int]:
    """Examples with a mask per image, their task, and its number of mask values."""
    masks, given = columns.masks((x.shape[2], x.shape[3]))
    seen = None if given is None else torch.from_numpy(given.reshape(-1, 1, 1))
    classes = _classes(columns, columns.parts[0].keys["masks"], masks)
    return Examples(x, torch.from_numpy(masks), seen), "segmentation", classes


def _classes(columns: Columns, where: str, values: NDArray[Any]) -> int:
    """Largest value + 1; raises UserError where there is nothing to tell apart."""
    classes = int(values.max()) + 1
    if classes < 2:
        raise columns.archive.fault(where, "at least two classes", "only zeros", "There is nothing to learn.")
    return classes


def _split(columns: Columns) -> NDArray[np.int8] | None:
    """TRAIN, VAL or TEST per row (N,), or None where the file does not say."""
    named = [part.split for part in columns.parts if part.split is not None]
    if named:
        split = np.repeat(np.array(named, np.int8), columns.rows)
    elif columns.has("splits"):
        split = _written_splits(columns)
    else:
        return None
    if not (split == TRAIN).any():
        got = f"only {', '.join(columns.archive.keys)}"
        raise columns.archive.fault("train_images or splits", "images to train on", got, "Add training images.")
    return split


def _written_splits(columns: Columns) -> NDArray[np.int8]:
    parts = []
    for key, array in columns.read("splits"):
        flat = array.reshape(-1)
        if not np.isin(flat, (0, 1, 2)).all() or len(flat) != len(array):
            odd = flat[~np.isin(flat, (0, 1, 2))][:1]
            raise columns.archive.fault(key, "0 (train), 1 (val) or 2 (test) per image", odd, "Renumber the splits.")
        parts.append(flat.astype(np.int8))
    return np.concatenate(parts)


def _sites(columns: Columns) -> tuple[Indices | None, tuple[str, ...]]:
    """Site number per row (N,) with the names of the sites; None where the file does not say."""
    names = tuple(part.site for part in columns.parts if part.site is not None)
    if names:
        return np.repeat(np.arange(len(names)), columns.rows), names
    return columns.codes("sites") if columns.has("sites") else (None, ())
