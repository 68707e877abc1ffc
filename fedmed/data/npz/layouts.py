"""Which arrays of an npz file belong together, by their names: splits, one table, or a pair per site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.data.npz.archive import NpzArchive
from fedmed.errors import UserError, refuse

SPLITS: Mapping[str, int] = {"train": TRAIN, "val": VAL, "test": TEST}
SPELLINGS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
"""Names that are no sites but other spellings of splits, in any case."""

COLUMNS = ("images", "labels", "masks", "has_mask", "sites", "patients", "splits", "spacing")
ATTRIBUTE = "attribute_"
"""What the name of a column begins with that says what else is known of an image: `attribute_sex`."""

LAYOUTS = (
    "MedMNIST's train_images, train_labels, val_images, ... (or _masks, _patients, _sites, _attribute_<name>); "
    "or images with labels or masks (and sites, patients, splits, has_mask, spacing, attribute_<name>); "
    "or one pair <site>_images, <site>_labels (or _masks) per site"
)


@dataclass(frozen=True, slots=True)
class ArrayGroup:
    """Arrays of one file that belong together row by row: the images of a split or site, and what is known of them.

    keys: the name of each column's array, of `COLUMNS` and attributes.
    split: TRAIN, VAL or TEST for all rows; None where the names do not say.
    site: site of all rows; None where the names do not say.
    """

    keys: Mapping[str, str]
    split: int | None = None
    site: str | None = None


def array_groups(archive: NpzArchive) -> tuple[ArrayGroup, ...]:
    """The groups of arrays in a file, in the order of the file; raises UserError where its names fit no layout."""
    prefixes = [key.removesuffix("images") for key in archive.keys if key == "images" or key.endswith("_images")]
    names = [prefix[:-1] for prefix in prefixes]
    if wrong := [name for name in names if name not in SPLITS and name.lower() in SPELLINGS]:
        raise archive.fault(
            f"{wrong[0]}_images", "train_images, val_images, test_images", "another spelling", "Rename it."
        )
    splits = [name for name in names if name in SPLITS]
    if not names or ("" in names and len(names) > 1) or (splits and len(splits) < len(names)):
        raise _wrong_keys(archive, LAYOUTS)
    parts = tuple(_part(archive, prefix) for prefix in prefixes)
    _refuse_strays(archive, parts)
    return parts


def _part(archive: NpzArchive, prefix: str) -> ArrayGroup:
    name = prefix[:-1]
    split = SPLITS.get(name)
    site = name if name and split is None else None
    known = {"splits": split is not None, "sites": site is not None}  # by the name of the part already
    attributes = [key.removeprefix(prefix) for key in archive.keys if key.startswith(prefix + ATTRIBUTE)]
    columns = [column for column in COLUMNS if prefix + column in archive.keys and not known.get(column)]
    columns += [name for name in attributes if name != ATTRIBUTE]
    return ArrayGroup({column: prefix + column for column in columns}, split, site)


def _refuse_strays(archive: NpzArchive, parts: Iterable[ArrayGroup]) -> None:
    """Refuses arrays that look meant for fedmed but belong to no part; other extra arrays are harmless."""
    known = {key for part in parts for key in part.keys.values()}
    for key in archive.keys:
        if key in known:
            continue
        meant = key in COLUMNS or key.endswith(tuple(f"_{column}" for column in COLUMNS))
        if meant or f"_{ATTRIBUTE}" in f"_{key}":
            raise _wrong_keys(archive, f"images beside {key}, in one of these layouts: {LAYOUTS}")
        attribute = ATTRIBUTE + key.rpartition("_")[2]
        if close := get_close_matches(key, [*known, *COLUMNS, attribute], n=1, cutoff=0.75):
            raise archive.fault(key, "a known name", "one that is not", f"Did you mean {close[0]}?")


def _wrong_keys(archive: NpzArchive, expected: str) -> UserError:
    got = ", ".join(archive.keys) or "no array at all"
    return refuse(f"{archive.option}: {archive.path}", expected, got, "Rename the arrays.")
