"""Which rows of a table each client holds: to train, to validate and to test on."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed import rng
from fedmed.data.examples import TEST, TRAIN, VAL, Indices, Table
from fedmed.data.partition import ImageMetadata, Partition, divide
from fedmed.data.prepare import split_of
from fedmed.data.splits import draw_splits


class ClientRows(NamedTuple):
    """One client's rows in the table."""

    train: Indices
    val: Indices
    test: Indices

    @property
    def given(self) -> Indices:
        return np.concatenate([self.train, self.val])


def client_rows(
    table: Table, shown: NDArray[np.bool_], partition: Partition, clients: int | None, client_test: float, seed: int
) -> tuple[list[ClientRows], list[Indices]]:
    """Each client's rows, its own test rows taken out of its training rows; and the partition they come from."""
    split = split_of(table)
    rows = np.flatnonzero((split == TRAIN) | (split == VAL))
    labels = {"multiclass": table.examples.y.numpy(), "multilabel": shown, "segmentation": shown[:, 1:]}[table.task]
    pool = replace(ImageMetadata(labels, split == TRAIN, table.site, table.patient)[rows], split=split)
    parts = [rows[part] for part in divide(partition, pool, clients, seed)]
    seeds = [rng.seed_of(seed, "client test", client) for client in range(len(parts))]
    return [_own_test(table, part, client_test, s) for part, s in zip(parts, seeds, strict=True)], parts


def _own_test(table: Table, rows: Indices, client_test: float, seed: int) -> ClientRows:
    split = split_of(table)[rows]
    if client_test:
        patient = None if table.patient is None else table.patient[rows]
        split = draw_splits(split, val=0, test=client_test, seed=seed, stratum=None, patient=patient)
    return ClientRows(rows[split == TRAIN], rows[split == VAL], rows[split == TEST])
