"""Examples, tables of examples, and the contract of a dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from fedmed.data.attributes import Attribute, group_faults
from fedmed.errors import Fault, refuse
from fedmed.options.base import Options

TRAIN, VAL, TEST, UNUSED = 0, 1, 2, -1
"""The values of `Table.split`."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Images with labels, as one client (or the server) holds them.

    x: images (N, C, H, W), or volumes (N, C, D, H, W); uint8 in 0..255 or float32.
    y: labels, zero where not annotated: multi-class (N,) int64; multi-label (N, L) float32 in {0, 1};
       segmentation (N, H, W) or (N, D, H, W) uint8.
    seen: bool, broadcastable to y: which entries are annotated; None when all of them are (the fast path).
    spacing: (N, 2) or (N, 3) float64, mm from pixel to pixel along (D,) H and W; None where it is not known. Only the
       measuring of distances asks for it: examples that are trained on may have lost it.
    """

    x: Tensor
    y: Tensor
    seen: Tensor | None = None
    spacing: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: slice | Tensor) -> Examples:
        """The chosen rows; a slice shares memory, an index tensor copies."""
        seen, spacing = (None if each is None else each[index] for each in (self.seen, self.spacing))
        return Examples(self.x[index], self.y[index], seen, spacing)


Task = Literal["multiclass", "multilabel", "segmentation"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A whole dataset in memory, one row per image, with what is known about every row.

    examples: all N images with their true labels.
    task: multiclass, multilabel or segmentation.
    classes: number of classes, findings, or mask values (background included).
    split: (N,) TRAIN, VAL or TEST per row; None when the file has none (fedmed then draws a seeded one).
    site, patient: (N,) int64 per row, or None when unknown.
    spacing: (N, 2), of volumes (N, 3), mm from pixel to pixel along (D,) H and W of the images as loaded, or None when
       unknown; `fedmed.data.prepare` hands it on to the examples.
    class_names, site_names: in order of their number; empty when unknown.
    attributes: what else is known of every row, such as sex, by its name.
    """

    examples: Examples
    task: Task
    classes: int
    split: NDArray[np.int8] | None = None
    site: Indices | None = None
    patient: Indices | None = None
    spacing: NDArray[np.float64] | None = None
    class_names: tuple[str, ...] = ()
    site_names: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def sites(self) -> dict[str, int]:
        """The sites that have images, by name: their numbers, ascending; none where sites are not known."""
        return {} if self.site is None else {name_of(int(n), self.site_names): int(n) for n in np.unique(self.site)}

    def site_named(self, name: str) -> int | None:
        """The number of a site that has images, from its name, or from what follows `site ` in it; None for no site."""
        return self.sites.get(name, self.sites.get(f"site {name}"))


def name_of(site: int, names: Sequence[str]) -> str:
    """The name of a site; `site 3` where it has none."""
    return names[site] if site < len(names) else f"site {site}"


@dataclass(frozen=True, kw_only=True)
class Dataset(Options, ABC):
    """Where images come from; each file in datasets/ holds one subclass, whose fields are its options.

    A subclass whose images are always of one task says which (`task: ClassVar[Task] = "segmentation"`), so that runs
    which choose no model get the usual one.

    resize: side in pixels to which images and masks are resized (null: as they are).
    patch: side in pixels of the square, or cube, that every training step cuts from an image of a segmentation anywhere
       in it, and of the windows in which whole images are predicted, which may be of any shape (null: whole images).
    normalise: none (uint8 scaled to 0..1), dataset (mean and deviation of the training images), or image (of each
       image).
    imbalance_factor: long tail: largest over smallest class count among training images (1: as they are).
    tolerance: how far outlines of masks may be apart and yet agree, for surface_dice (mm, or pixels where the spacing
       is not known).
    held_out_site: site whose images no client trains on, or a list of some, as the file names or numbers them; they
       form the test set (null: none).
    groups: how attributes that are numbers are grouped, as [age:40:60:80] for groups <40, 40-59, 60-79 and >=80; [age]
       leaves age out ([]: by their values).
    per_site: most training images of a site, drawn by split_seed, a patient's together (null: all).
    val: fraction of images for validation where the file names none.
    test: fraction of images for the server's test set where the file names none.
    split_seed: seed of that division, apart from the run's seed, so that the test set stays while seeds vary.
    """

    divided: ClassVar[bool] = False
    """Whether its sites are the clients, unless a partition says otherwise."""

    resize: Annotated[int, Ge(4)] | None = None
    patch: Annotated[int, Ge(4)] | None = None
    normalise: Literal["none", "dataset", "image"] = "dataset"
    imbalance_factor: Annotated[float, Ge(1)] = 1.0
    tolerance: Annotated[float, Ge(0)] = 1.0
    held_out_site: str | int | tuple[str | int, ...] | None = None
    groups: tuple[str, ...] = ()
    per_site: Annotated[int, Ge(1)] | None = None
    val: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    test: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    split_seed: int = 0

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        """What is no grouping of an attribute, and a list of no sites."""
        if "groups" not in wrong:
            yield from group_faults(self.groups, "dataset.groups")
        if self.held_out_site == ():
            yield Fault("dataset.held_out_site", "a site, several, or null", "[]", "Name one, or leave it out.")

    @abstractmethod
    def load(self) -> Table:
        """Reads or makes the images; raises `fedmed.errors.UserError` where the data is not usable."""

    def labels_beside(self, name: str, unseen: int | None, table: Table) -> tuple[Tensor, Tensor | None]:
        """Labels of that name beside the true ones, row by row of what `load` gives, and which of them are known.

        They are in the classes of the table, as large as in the file, and 0 where not known.
        unseen: the value that says so. Raises UserError where there are none.
        """
        raise refuse(
            "annotation", "a dataset that holds other labels beside the true ones", type(self).__name__.lower()
        )

    def files(self) -> tuple[Path, ...]:
        """The files that `load` reads, as far as they are there: those at its options, and all in folders there."""
        texts = [value for value in vars(self).values() if isinstance(value, str) and value]
        places = [Path(text).expanduser() for text in texts]
        below = [sorted(file for file in place.rglob("*") if file.is_file()) for place in places if place.is_dir()]
        return (*(place for place in places if place.is_file()), *(file for files in below for file in files))
