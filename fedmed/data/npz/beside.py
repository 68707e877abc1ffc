"""Labels that an npz file holds beside the true ones: another reader's, or scribbles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Table
from fedmed.data.npz.archive import NpzArchive
from fedmed.data.npz.layouts import array_groups
from fedmed.data.npz.values import Array, as_text, findings_of, in_words, whole_numbers
from fedmed.errors import near, refuse

Labels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Labels of some images, 0 where not known, and which are known, of the same shape."""


def labels_beside(
    archive: NpzArchive, name: str, unseen: int | None, table: Table
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The labels in the arrays of that name, in the classes of the table, and which are known (None: all).

    unseen: value of those that are not. Raises UserError where an array is missing, of another length or shape than the
    true labels, or holds values that are no classes of the table.
    """
    parts = []
    for group in array_groups(archive):
        images = group.keys["images"]
        key = images.removesuffix("images") + name
        if key not in archive.keys:
            raise refuse("annotation.array", f"labels beside {images} in {archive.path}", key, near(key, archive.keys))
        size = (archive.shape(images)[0], *archive.shape(images)[1 : table.examples.y.ndim])
        wanted = (size[0], table.classes) if table.task == "multilabel" else size
        array = archive.read(key)
        if array.shape != wanted and array.shape != (*wanted, 1):
            raise archive.fault(key, f"labels of shape {wanted}, as the true ones", array.shape)
        parts.append(_known(archive, key, array.reshape(wanted), unseen, table))
    y, known = (np.concatenate(each) for each in zip(*parts, strict=True))
    return y, None if known.all() else known


def _known(archive: NpzArchive, key: str, array: Array, unseen: int | None, table: Table) -> Labels:
    known = np.ones(array.shape, np.bool_) if unseen is None else array != unseen
    if table.task == "multilabel":
        y, seen = findings_of(archive, key, np.where(known, array, -1))
        return y, known if seen is None else seen
    y = np.zeros(array.shape, np.int64)
    y[known] = _classes(archive, key, array[known], table)
    return y, known


def _classes(archive: NpzArchive, key: str, values: Array, table: Table) -> NDArray[np.int64]:
    """The classes of known entries (M,): numbers, names where the table has them, or 255 for the object of a mask."""
    found, codes = np.unique(values, return_inverse=True)
    names = [as_text(value) for value in found]
    if table.class_names and set(names) <= set(table.class_names):
        return np.array([table.class_names.index(name) for name in names], np.int64)[codes.reshape(-1)]
    if table.task == "segmentation" and table.classes == 2 and set(names) <= {"0", "255"}:
        return (values > 0).astype(np.int64)
    if not len(found) or int(whole_numbers(archive, key, found)[-1]) < table.classes:
        return values.astype(np.int64)
    fix = "Set annotation.unseen=<value> for the one that says that nobody annotated the entry."
    raise archive.fault(key, f"classes of the true labels, {table.classes} in all", in_words(found), fix)
