"""From a dataset as loaded to a table ready to be shared out: resized, split, with its long tail and held-out site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from fedmed.data.attributes import grouped
from fedmed.data.batches import in_parts
from fedmed.data.examples import TEST, TRAIN, UNUSED, Dataset, Examples, Indices, Table, name_of
from fedmed.data.resizing import scaled
from fedmed.data.splits import draw_splits
from fedmed.data.strata import sampling_units
from fedmed.errors import Fault, UserError, near, refuse
from fedmed.rng import numpy_generator


def prepare(dataset: Dataset) -> Table:
    """Loads the dataset and applies its common options; raises UserError where the data does not allow them."""
    table = _resized(dataset.load(), dataset.resize, dataset.patch)
    split = draw_splits(
        table.split,
        val=dataset.val,
        test=dataset.test,
        seed=dataset.split_seed,
        stratum=_stratum(table),
        patient=table.patient,
        rows=len(table),
    )
    if dataset.held_out_site is not None:
        split = _held_out(table, split, dataset.held_out_site)
    if dataset.per_site is not None:
        split = _capped(table, split, dataset.per_site, dataset.split_seed)
    if dataset.imbalance_factor != 1:
        split = _long_tail(table, split, dataset.imbalance_factor, dataset.split_seed)
    attributes = grouped(table.attributes, dataset.groups)
    return replace(table, split=split, examples=_measured(table), attributes=attributes)


def _measured(table: Table) -> Examples:
    """The examples with the distances between their pixels, where these are known."""
    if table.spacing is None:
        return table.examples
    axes = table.examples.x.dim() - 2
    if table.spacing.shape != (len(table), axes) or not (np.isfinite(table.spacing) & (table.spacing > 0)).all():
        expected, got = f"spacing of shape {(len(table), axes)}, all above 0", f"shape {table.spacing.shape}"
        raise refuse("dataset", expected, got, "Give mm from pixel to pixel along each axis of every image.")
    return replace(table.examples, spacing=torch.from_numpy(table.spacing.astype(np.float64)))


def presence(examples: Examples, task: str, classes: int) -> NDArray[np.bool_]:
    """Which classes each image shows (N, C): its class, its findings, or the values in its mask."""
    y = examples.y
    if task == "multiclass":
        classes_of_rows: NDArray[np.bool_] = y.numpy()[:, None] == np.arange(classes)
        return classes_of_rows
    if task == "multilabel":
        return y.numpy().astype(np.bool_)
    shown = [torch.stack([(part == c).flatten(1).any(1) for c in range(classes)], 1) for part in in_parts(y)]
    return np.asarray(torch.cat(shown).numpy(), np.bool_)


def _stratum(table: Table) -> NDArray[np.int64] | None:
    """What the parts of a drawn split keep in proportion: classes, else sites."""
    return table.examples.y.numpy() if table.task == "multiclass" else table.site


def _resized(table: Table, side: int | None, patch: int | None) -> Table:
    examples = table.examples
    sides = examples.x.shape[2:]
    if patch is not None:
        _check_patch(table, [side] if side else list(sides), patch)
    elif side is None and len(set(sides)) > 1:
        expected, got = "cubes" if len(sides) == 3 else "square images", " x ".join(map(str, sides))
        raise refuse("dataset.resize", expected, f"{got} pixels", "Set dataset.resize to a side.")
    if side is None or set(sides) == {side}:
        return table
    masks, size = table.task == "segmentation", (side,) * len(sides)
    y = scaled(examples.y[:, None], size, "nearest-exact")[:, 0] if masks else examples.y
    spacing = None if table.spacing is None else table.spacing * np.array(sides) / side
    return replace(table, examples=Examples(scaled(examples.x, size, "bilinear"), y, examples.seen), spacing=spacing)


def _check_patch(table: Table, sides: Sequence[int], patch: int) -> None:
    faults = []
    if table.task != "segmentation":
        fix = "A patch need not show what an image is labelled for: use dataset.resize."
        faults.append(Fault("dataset.patch", f"null for {table.task}", str(patch), fix))
    if patch > min(sides):
        expected = f"at most {min(sides)}, the shortest side of the images"
        faults.append(Fault("dataset.patch", expected, str(patch), "Lower it."))
    if faults:
        raise UserError(*faults)


def _held_out(table: Table, split: NDArray[np.int8], given: str | int | Sequence[str | int]) -> NDArray[np.int8]:
    """The images of the given sites become the test set; other sites' test images are left out."""
    names = list(map(str, [given] if isinstance(given, str | int) else given))
    if table.site is None:
        raise refuse("dataset.held_out_site", "null, as the dataset names no sites", ", ".join(names))
    numbers, faults = [], []
    for name in names:
        if (number := table.site_named(name)) is None:
            faults.append(Fault("dataset.held_out_site", "a site of the dataset", name, near(name, table.sites)))
        else:
            numbers.append(number)
    if faults:
        raise UserError(*faults)
    out = np.where(split == TEST, UNUSED, split).astype(np.int8)
    out[np.isin(table.site, numbers)] = TEST
    if not (out == TRAIN).any():
        raise refuse("dataset.held_out_site", "training images at other sites", "none", "Hold out another site.")
    return out


def _capped(table: Table, split: NDArray[np.int8], most: int, seed: int) -> NDArray[np.int8]:
    """Leaves out training images so that no site has more than `most`, classes in proportion, whole patients only."""
    if table.site is None:
        raise refuse("dataset.per_site", "null, as the dataset names no sites", most)
    out = split.copy()
    for site in np.unique(table.site):
        rows = np.flatnonzero((table.site == site) & (split == TRAIN))
        kept = _at_most(table, rows, most, numpy_generator(seed, "per site", int(site)))
        if len(rows) and not kept.any():
            expected = f"at least the images of a patient at {name_of(int(site), table.site_names)}"
            raise refuse("dataset.per_site", expected, most, "Raise it: a patient's images stay together.")
        out[rows[~kept]] = UNUSED
    return out


def _at_most(table: Table, rows: Indices, most: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of the rows (N,) are kept: patients in random order, those of rarer classes as early as others'."""
    stratum = table.examples.y.numpy()[rows] if table.task == "multiclass" else np.zeros(len(rows), np.int64)
    patient = None if table.patient is None else table.patient[rows]
    units = sampling_units(patient, stratum, np.ones(len(rows), np.bool_))
    place = np.empty(len(units.sizes))
    for kind in np.unique(units.stratum):
        members = np.flatnonzero(units.stratum == kind)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    kept, left = np.zeros(len(place), np.bool_), most
    for unit in np.argsort(place, kind="stable"):
        kept[unit] = units.sizes[unit] <= left
        left -= int(units.sizes[unit]) if kept[unit] else 0
    return kept[units.of_row]


def _long_tail(table: Table, split: NDArray[np.int8], factor: float, seed: int) -> NDArray[np.int8]:
    """Leaves out training images so that class counts fall geometrically, the largest `factor` times the smallest.

    After Cui, Jia, Lin, Song, Belongie: Class-Balanced Loss. CVPR 2019, arXiv 1901.05555. Classes by falling count.
    """
    if table.task != "multiclass" or table.classes < 2:
        raise refuse("dataset.imbalance_factor", "1 (a long tail needs single-label classes)", factor)
    labels, out = table.examples.y.numpy(), split.copy()
    counts = np.bincount(labels[split == TRAIN], minlength=table.classes)
    order = np.argsort(-counts, kind="stable")
    for rank, label in enumerate(order):
        wanted = max(1, int(counts[order[0]] * factor ** (-rank / (table.classes - 1)) + 0.5))
        rows = np.flatnonzero((labels == label) & (split == TRAIN))
        surplus = max(0, len(rows) - wanted)
        out[numpy_generator(seed, "long tail", int(label)).permutation(rows)[:surplus]] = UNUSED
    return out


def split_of(table: Table) -> NDArray[np.int8]:
    """What each row of a prepared table is for: `TRAIN`, `VAL` or `TEST` (N,)."""
    if table.split is None:
        raise ValueError("the table has not been prepared")
    return table.split
