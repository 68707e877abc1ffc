"""From a listing to the table that fedmed trains on."""

from __future__ import annotations

import numpy as np
import torch

from fedmed.data.attributes import attribute
from fedmed.data.examples import Examples, Table
from fedmed.data.reading.building import Built
from fedmed.data.reading.cache import CacheUse, images_of
from fedmed.data.reading.labels import LabelReading, Labels, read_labels
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.pixel_options import PixelReading
from fedmed.data.reading.rows import KnownRows, known_rows
from fedmed.errors import Fault, UserError, refuse


def table_of(
    listing: Listing, labels: LabelReading, reading: PixelReading, cache: CacheUse, *, segmentation: bool
) -> Table:
    """The table of a listing; raises UserError with what is wrong in texts and headers before any file is decoded."""
    if segmentation and not any(listing.masks):
        raise refuse(
            "dataset.task", "masks to learn, for segmentation", f"none in {listing.where}", "See dataset.mask."
        )
    _check(listing, labels, segmentation=segmentation)
    built = images_of(listing, reading, cache)
    known = known_rows(built.listing)
    if segmentation:
        return _masked(built, known, labels.names)
    return _labelled(built, known, read_labels(built.listing.labels, labels, listing.where))


def _check(listing: Listing, labels: LabelReading, *, segmentation: bool) -> None:
    """Refuses what texts alone show to be wrong, all together."""
    faults: list[Fault] = []
    for check in (
        lambda: known_rows(listing),
        lambda: segmentation or read_labels(listing.labels, labels, listing.where),
    ):
        try:
            check()
        except UserError as error:
            faults += error.faults
    if faults:
        raise UserError(*faults)


def _masked(built: Built, known: KnownRows, names: tuple[str, ...]) -> Table:
    if built.y is None:
        raise ValueError("no masks were read")
    given = np.array([mask is not None for mask in built.listing.masks])[built.case]
    seen = None if given.all() else torch.from_numpy(given.reshape(-1, 1, 1))
    examples = Examples(built.x, built.y, seen)
    return _table(examples, built, known, task="segmentation", classes=built.classes, class_names=names)


def _labelled(built: Built, known: KnownRows, labels: Labels) -> Table:
    rows = torch.from_numpy(built.case)
    seen = None if labels.seen is None else labels.seen[rows]
    examples = Examples(built.x, labels.y[rows], seen)
    return _table(examples, built, known, task=labels.task, classes=labels.classes, class_names=labels.names)


def _table(examples: Examples, built: Built, known: KnownRows, **of_labels: object) -> Table:
    case = built.case
    patient = known.patient
    if patient is None and (len(case) > len(built.listing) or built.listing.frames):
        # slices and frames of one volume are one patient's
        patient = np.unique([str(files[0]) for files in built.listing.files], return_inverse=True)[1]
    return Table(
        examples=examples,
        split=None if known.split is None else known.split[case],
        site=None if known.site is None else known.site[case],
        patient=None if patient is None else patient[case],
        site_names=known.site_names,
        attributes={name: attribute(np.array(texts))[case] for name, texts in built.listing.attributes.items()},
        **of_labels,  # type: ignore[arg-type]
    )
