"""The 18 sets of MedMNIST: Yang et al., MedMNIST v2, Scientific Data 10:41, 2023, arXiv 2110.14795."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from fedmed.data.download import fetch, md5_of, missing
from fedmed.data.examples import Dataset, Examples, Table
from fedmed.data.medmnist_info import MEDMNIST, MedmnistInfo, file_name, url
from fedmed.data.npz.archive import NpzArchive
from fedmed.data.npz.columns import NpzColumns
from fedmed.data.npz.layouts import array_groups
from fedmed.data.npz.opening import open_npz
from fedmed.data.npz.pixels import Array, pixels, stack
from fedmed.data.npz.values import whole_numbers
from fedmed.errors import near, refuse


@dataclass(frozen=True, kw_only=True)
class Medmnist(Dataset):
    """A set of MedMNIST, read from disk or downloaded once.

    name: which of the 18 sets, such as pathmnist, chestmnist (multi-label) or organmnist3d (volumes).
    root: folder of the file, or the file itself; null: ~/.medmnist, where a file is also looked for in any case.
    size: side in pixels of the published images (28, 64, 128 or 224; volumes 28 or 64).
    download: whether a missing file is downloaded.
    verify: whether the file must have the published MD5; false for a file that was rebuilt.
    slices: volumes only: middle (the middle slice along the first axis), all (each slice is an image of its own, and
        the volume's number is its patient), or whole (volumes as they are, in 3-D).
    """

    name: str = "breastmnist"
    root: str | None = None
    size: Literal[28, 64, 128, 224] = 28
    download: bool = True
    verify: bool = True
    slices: Literal["middle", "all", "whole"] = "middle"

    def load(self) -> Table:
        """The published images and splits; raises UserError where the file is not at hand or not right."""
        facts = self._facts()
        path = self._path(facts)
        with open_npz(path, "dataset.root") as archive:
            return self._table(archive, facts)

    def files(self) -> tuple[Path, ...]:
        """The file, unless it is known by its MD5 or still to be downloaded."""
        known = MEDMNIST.get(self.name)
        path = None if known is None or self.verify else self._at_hand()
        return () if path is None else (path,)

    def _facts(self) -> MedmnistInfo:
        if self.name not in MEDMNIST:
            raise refuse("dataset.name", "a set of MedMNIST", repr(self.name), near(self.name, MEDMNIST))
        facts = MEDMNIST[self.name]
        if self.size not in facts.md5:
            sizes = " or ".join(map(str, facts.md5))
            raise refuse("dataset.size", f"{sizes} for {self.name}", self.size, "Others were not published.")
        return facts

    def _path(self, facts: MedmnistInfo) -> Path:
        """The verified file, downloaded first where it is missing."""
        md5 = facts.md5[self.size] if self.verify else None
        path, target = self._at_hand(), self._target()
        if path is None:
            if not self.download:
                got = f"no such file at {target}, and dataset.download is false"
                raise missing(url(self.name, self.size), target, option="dataset.root", md5=md5, got=got)
            fetch(url(self.name, self.size), target, option="dataset.root", md5=md5)
            return target
        if md5 is not None and (got := md5_of(path)) != md5:
            fix = "Delete the file to have it downloaded again, or set dataset.verify=false if you rebuilt it yourself."
            raise refuse(f"dataset.root: {path}", f"MD5 {md5}", got, fix)
        return path

    def _target(self) -> Path:
        """Where the file is looked for first."""
        name = file_name(self.name, self.size)
        given = Path.home() / ".medmnist" / name if self.root is None else Path(self.root).expanduser()
        return given if given.suffix == ".npz" or given.is_file() else given / name

    def _at_hand(self) -> Path | None:
        places = (self._target(), Path.home() / ".medmnist" / file_name(self.name, self.size))
        return next((path for path in places if path.is_file()), None)

    def _table(self, archive: NpzArchive, facts: MedmnistInfo) -> Table:
        parts = [part for part in array_groups(archive) if part.split is not None and "labels" in part.keys]
        if len(parts) != 3:
            expected = "images and labels of train, val and test"
            raise refuse(f"dataset.root: {archive.path}", expected, ", ".join(archive.keys), "Use dataset=npz for it.")
        stacks = [(key, archive.read(key)) for key in (part.keys["images"] for part in parts)]
        rows = [len(array) for _, array in stacks]
        copies, whole = 1, facts.volumes and self.slices == "whole"
        if facts.volumes:
            depth = _depth(archive, stacks)
            copies = depth if self.slices == "all" else 1
            stacks = [(key, _cut(array, self.slices)) for key, array in stacks]
        images = [(key, pixels(archive, key, array, volumes=whole)) for key, array in stacks]
        y = _labels(NpzColumns(archive, parts, rows), facts).repeat_interleave(copies, 0)
        split = np.repeat(np.array([part.split for part in parts], np.int8), rows)
        return Table(
            examples=Examples(torch.from_numpy(stack(archive, images)), y),
            task=facts.task,
            classes=len(facts.names),
            split=split.repeat(copies),
            patient=np.arange(sum(rows)).repeat(copies) if copies > 1 else None,
            class_names=facts.names,
        )


def _depth(archive: NpzArchive, stacks: list[tuple[str, Array]]) -> int:
    """Slices per volume; raises UserError where an array does not hold volumes (N, D, H, W) of one depth."""
    depth = stacks[0][1].shape[1] if stacks[0][1].ndim == 4 else 0
    for key, array in stacks:
        if array.ndim != 4 or array.shape[1] != depth:
            raise archive.fault(key, "volumes (N, D, H, W)", f"shape {array.shape}", "Use dataset=npz for images.")
    return depth


def _cut(volumes: Array, slices: Literal["middle", "all", "whole"]) -> Array:
    """Volumes (N, D, H, W) as images (N, H, W), or (N * D, H, W), or as they are."""
    if slices == "whole":
        return volumes
    return volumes[:, volumes.shape[1] // 2] if slices == "middle" else volumes.reshape(-1, *volumes.shape[2:])


def _labels(columns: NpzColumns, facts: MedmnistInfo) -> torch.Tensor:
    """Labels (N,) int64, or (N, L) float32; raises UserError where they are beyond the published classes."""
    y = whole_numbers(columns.archive, columns.parts[0].keys["labels"], columns.labels()).astype(np.int64)
    width = len(facts.names) if facts.task == "multilabel" else 1
    most = 1 if facts.task == "multilabel" else len(facts.names) - 1
    if y.shape[1] != width or y.max() > most:
        expected, got = f"{width} per image, 0 to {most}", f"{y.shape[1]} per image, up to {y.max()}"
        raise columns.archive.fault("labels", expected, got, "Use dataset=npz for other labels.")
    return torch.from_numpy(y.astype(np.float32)) if facts.task == "multilabel" else torch.from_numpy(y[:, 0].copy())
