"""What the labels of a file mean: numbers of classes, names of classes (codes), or findings that may be unknown."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.data.npz.archive import NpzArchive
from fedmed.errors import UserError

Array = NDArray[Any]
Reading = Literal["auto", "numbers", "codes"]

MOST = 100_000
"""Classes beyond which a label is no class number."""

SHOWN = 6
"""Values that an error names before it only counts."""


class ClassLabels(NamedTuple):
    """Classes (shape of the values, int64), how many there are, and their names where the values are names."""

    y: NDArray[np.int64]
    number: int
    names: tuple[str, ...]


def classes_of(archive: NpzArchive, key: str, values: Array, reading: Reading) -> ClassLabels:
    """The class of every label; raises UserError where labels are no class numbers, or might not be.

    reading: numbers (of classes, from 0 to the largest), codes (the values that occur are the classes, in sorted
    order, and name them), or auto (text is codes; numbers are numbers, and refused where that is ambiguous).
    """
    text = values.dtype.kind in "SU"
    if text and reading == "numbers":
        raise archive.fault(key, "class numbers, as dataset.values=numbers", "text", "Set dataset.values=codes.")
    if reading == "codes" or text:
        check_known(archive, key, values, "label")
        found, codes = np.unique(values, return_inverse=True)
        at_least_two(archive, key, found)
        return ClassLabels(codes.reshape(values.shape).astype(np.int64), len(found), as_names(found))
    found = np.unique(whole_numbers(archive, key, values))
    if reading == "auto":
        at_least_two(archive, key, found)
        if is_ambiguous(found):
            raise ambiguous_values(archive, key, found, f"{int(found[-1]) + 1} classes from 0 to {int(found[-1])}")
    if found[-1] >= MOST:
        raise archive.fault(key, f"class numbers below {MOST}", as_text(found[-1]), "See dataset.values.")
    return ClassLabels(values.astype(np.int64), max(2, int(found[-1]) + 1), ())


def findings_of(archive: NpzArchive, key: str, values: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Findings (N, L) in {0, 1}, and which are annotated (None: all); NaN and -1 say that nobody knows.

    Raises UserError for other values, and where nothing at all is annotated.
    """
    if values.dtype.kind not in "buif":
        raise archive.fault(key, "findings 0 or 1", f"values of type {values.dtype}", "Store 0, 1, and NaN or -1.")
    seen = ~(np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, np.bool_)) & (values != -1)
    odd = values[seen & (values != 0) & (values != 1)]
    if odd.size:
        fix = "Multi-label rows hold 0 or 1 per finding; NaN or -1 where it is not annotated."
        raise archive.fault(key, "labels 0 or 1", f"values up to {as_text(odd.max())}", fix)
    if not seen.any():
        raise archive.fault(key, "annotated findings", "only NaN or -1", "There is nothing to learn.")
    return np.where(seen, values, 0).astype(np.float32), None if seen.all() else seen


def is_one_hot(values: Array) -> bool:
    """Whether every row of several columns holds one 1 and else zeros (N, L)."""
    if values.shape[1] < 2 or values.dtype.kind not in "buif":
        return False
    return bool(((values == 0) | (values == 1)).all() and ((values == 1).sum(1) == 1).all())


def is_ambiguous(found: Array) -> bool:
    """Whether sorted numbers may name classes rather than number them: 0, or half of those below the last, is missing.

    found: the values that occur, whole numbers from 0, ascending, at least one.
    """
    last = int(found[-1])
    return last > 1 and (int(found[0]) != 0 or 2 * (last - len(found) + 1) >= last)


def ambiguous_values(archive: NpzArchive, key: str, found: Array, numbers: str) -> UserError:
    """The UserError that states both readings of the values, and what chooses; numbers: the first reading."""
    never = int(found[-1]) + 1 - len(found)
    fix = (
        f"Set dataset.values=codes for {len(found)} classes named {in_words(found)}, "
        f"or dataset.values=numbers for {numbers}, of which {never} never occur."
    )
    return archive.fault(key, "values that number the classes from 0", in_words(found), fix)


def at_least_two(archive: NpzArchive, key: str, found: Array) -> None:
    """Refuses values (those that occur, ascending) among which there is nothing to tell apart."""
    if len(found) == 1 and as_text(found[0]) != "1":
        only = "only zeros" if as_text(found[0]) == "0" else f"only {as_text(found[0])}"
        raise archive.fault(key, "at least two classes", only, "There is nothing to learn.")


def whole_numbers(archive: NpzArchive, key: str, array: Array) -> Array:
    """The array itself; raises UserError where it holds anything but whole numbers from 0."""
    if array.dtype.kind not in "buif":
        raise archive.fault(key, "whole numbers", f"values of type {array.dtype}", "Number the classes 0, 1, 2, ...")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
        odd = array[~(array == np.floor(array)) | ~np.isfinite(array)].reshape(-1)[0]
        fix = "Number the classes 0, 1, 2, ...; dataset.task=multilabel takes NaN as not annotated."
        raise archive.fault(key, "whole numbers", odd, fix)
    if array.size and array.min() < 0:
        fix = (
            "Number the classes 0, 1, 2, ... and leave images without a label out; dataset.values=codes makes every "
            "value a class, dataset.task=multilabel takes -1 as not annotated."
        )
        raise archive.fault(key, "whole numbers from 0", as_text(array.min()), fix)
    return array


def check_known(archive: NpzArchive, key: str, values: Array, what: str) -> None:
    """Refuses values that are neither numbers nor text, and those that are missing: NaN and empty text."""
    if values.dtype.kind not in "buifSUM":
        raise archive.fault(key, f"a {what} per image, as number or text", f"values of type {values.dtype}")
    text = values.dtype.kind in "SU"
    missing = values == np.zeros((), values.dtype) if text else ~np.isfinite(values)
    if missing.any():
        got = f"none in {int(missing.sum())} rows, first in row {int(np.argwhere(missing)[0][0])}"
        raise archive.fault(key, f"a {what} for every image", got, "Name it, or leave those images out.")


def as_names(values: Array) -> tuple[str, ...]:
    """The values as names, one text each."""
    return tuple(as_text(value) for value in values)


def as_text(value: Any) -> str:
    """A value as one would write it: 10 for 10.0, Berlin for b'Berlin'."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, np.floating) and np.isfinite(value) and value == np.floor(value):
        return str(int(value))
    return str(value)


def in_words(found: Array) -> str:
    """Values in a few words: `10, 200 and 500`, or their number where they are many."""
    names = as_names(found)
    if len(names) > SHOWN:
        names = (*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
