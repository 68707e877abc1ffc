"""Where each row of a file comes from: its split, its site, its patient, and what else is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedmed.data.attributes import Attribute, attribute
from fedmed.data.examples import TRAIN, Indices
from fedmed.data.npz.columns import NpzColumns
from fedmed.data.npz.layouts import ATTRIBUTE, SPLITS
from fedmed.data.npz.values import as_text
from fedmed.errors import near

RESERVED = ("mean", "worst", "spread")
"""Names under which metrics over all sites are kept, so that no site may have them."""


def splits_of(columns: NpzColumns) -> NDArray[np.int8] | None:
    """TRAIN, VAL or TEST per row (N,), or None where the file does not say; UserError without a training row."""
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


def sites_of(columns: NpzColumns) -> tuple[Indices | None, tuple[str, ...]]:
    """Site number per row (N,) with the names of the sites; None where the file does not say."""
    names = tuple(part.site for part in columns.parts if part.site is not None)
    key = "sites"
    site: Indices | None = None
    if names:
        site, key = np.repeat(np.arange(len(names)), columns.rows), columns.parts[0].keys["images"]
    elif columns.has("sites"):
        (site, names), key = columns.codes("sites"), columns.parts[0].keys["sites"]
    if taken := [name for name in names if name in RESERVED]:
        fix = "That name is kept for metrics over all sites; rename the site."
        raise columns.archive.fault(key, "names of sites", taken[0], fix)
    return site, names


def patients_of(
    columns: NpzColumns, site: Indices | None, reading: Literal["auto", "shared", "separate"]
) -> Indices | None:
    """Patient number per row (N,), or None where the file does not say.

    reading: whether a value that recurs in another array or at another site is the same patient (shared) or not
    (separate); auto raises UserError where values recur.
    """
    if not columns.has("patients"):
        return None
    patient = columns.codes("patients")[0]
    part = np.repeat(np.arange(len(columns.rows)), columns.rows)
    place = part if site is None else part * (int(site.max()) + 1) + site
    own: Indices = place * (int(patient.max()) + 1) + patient
    if reading == "separate":
        return np.unique(own, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if reading == "auto" and len(np.unique(own)) > len(np.unique(patient)):
        fix = (
            "Set dataset.patients=separate if each array or site numbers its own patients, or dataset.patients=shared "
            "if equal values are one patient."
        )
        raise columns.archive.fault(
            columns.parts[0].keys["patients"], "values of one array and site", _twice(own, patient), fix
        )
    return patient


def attributes_of(columns: NpzColumns) -> dict[str, Attribute]:
    """What else the file says of every row, by the name of the attribute."""
    found = dict.fromkeys(key for part in columns.parts for key in part.keys if key.startswith(ATTRIBUTE))
    return {key.removeprefix(ATTRIBUTE): attribute(columns.joined(key)) for key in found if columns.has(key)}


def _twice(own: Indices, patient: Indices) -> str:
    """How many values stand for patients of several places."""
    places = np.bincount(np.unique(np.stack([own, patient], 1), axis=0)[:, 1])
    return f"{int((places > 1).sum())} of {len(places)} that recur in another one"


def _written_splits(columns: NpzColumns) -> NDArray[np.int8]:
    values, key = columns.joined("splits"), columns.parts[0].keys["splits"]
    expected = "0 (train), 1 (val) or 2 (test) per image, or these words"
    found = np.unique(values)
    known: Mapping[str, int] = SPLITS if values.dtype.kind in "SU" else {str(n): n for n in SPLITS.values()}
    if odd := [as_text(value) for value in found if as_text(value) not in known or values.dtype.kind == "b"]:
        raise columns.archive.fault(key, expected, odd[0], near(odd[0], known))
    if values.dtype.kind not in "SU" and found.tolist() == [0, 1]:
        fix = "1 is val; where 1 is meant to be test, store the words train, val and test instead, or 2 for test."
        raise columns.archive.fault(key, f"{expected}, all three or train and test", "only 0 and 1", fix)
    numbers = np.array([known[as_text(value)] for value in found], np.int8)
    return numbers[np.searchsorted(found, values)]
