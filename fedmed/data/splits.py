"""Dividing images into training, validation and test rows where a file does not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import TEST, TRAIN, VAL, Indices
from fedmed.data.strata import sampling_units
from fedmed.errors import refuse
from fedmed.rng import numpy_generator

Column = NDArray[np.generic]


def draw_splits(
    split: NDArray[np.int8] | None,
    *,
    val: float,
    test: float,
    seed: int,
    stratum: Column | None,
    patient: Column | None,
    rows: int | None = None,
) -> NDArray[np.int8]:
    """TRAIN, VAL or TEST per row (N,): `split`, its missing parts drawn from its training rows.

    split: (N,) as the file has it; None counts as all training rows. Complete splits come back as they are.
    val, test: fraction of the file's training rows for a part that the file lacks; 0 draws none.
    stratum: (N,) class per row, kept in proportion; None for no strata.
    patient: (N,) patient per row, never divided between drawn parts; None where every row is its own.
    rows: N, needed only where split, stratum and patient are all None.
    Raises UserError where no training row would remain.
    """
    drawn = np.full(_rows(rows, split, stratum, patient), TRAIN, np.int8) if split is None else split.astype(np.int8)
    wanted = {part: share for part, share in ((TEST, test), (VAL, val)) if not (drawn == part).any()}
    if sum(wanted.values()) >= 1:
        raise refuse("dataset.val + dataset.test", "less than 1", sum(wanted.values()), "Leave images to train on.")
    total = int((drawn == TRAIN).sum())
    for part, share in wanted.items():
        pool = np.flatnonzero(drawn == TRAIN)
        if len(pool):
            rng = numpy_generator(seed, "split", part)
            chosen = _draw(pool, share * total / len(pool), stratum, patient, rng)
            drawn[chosen] = part
    return drawn


def _rows(rows: int | None, *columns: Column | None) -> int:
    """The number of rows, from whatever knows it."""
    for column in columns:
        if column is not None:
            return len(column)
    if rows is None:
        raise ValueError("draw_splits needs rows where split, stratum and patient are all None")
    return rows


def _draw(
    pool: Indices, share: float, stratum: Column | None, patient: Column | None, rng: np.random.Generator
) -> Indices:
    """Seeded rows of the pool, near `share` of every stratum, whole patients only."""
    kind = np.zeros(len(pool), np.int64) if stratum is None else _codes(stratum[pool])
    owner = sampling_units(None if patient is None else _codes(patient[pool]), kind, np.ones(len(pool), np.bool_))
    chosen = np.zeros(len(owner.sizes), np.bool_)
    for number, wanted in enumerate(_apportion(share * np.bincount(owner.stratum, owner.sizes), rng)):
        members = rng.permutation(np.flatnonzero(owner.stratum == number))
        size = owner.sizes[members]
        # The patient who crosses the quota is taken where that comes nearer to it.
        chosen[members[np.cumsum(size) - size / 2 < wanted]] = True
    return pool[chosen[owner.of_row]]


def _codes(column: Column) -> Indices:
    """Values as numbers 0, 1, ..., in sorted order."""
    return np.unique(column, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _apportion(quota: NDArray[np.floating[Any]], rng: np.random.Generator) -> Indices:
    """Whole numbers near the quota with the nearest sum: largest remainders first, ties seeded."""
    whole: Indices = np.floor(quota + 1e-9).astype(np.int64)
    missing = round(float(quota.sum())) - int(whole.sum())
    order = np.lexsort((rng.random(len(quota)), -np.round(quota - whole, 9)))
    whole[order[: max(missing, 0)]] += 1
    return whole
