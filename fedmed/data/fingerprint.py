"""Digests by which two runs are known to have the same images and labels."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fedmed.data.examples import TEST, TRAIN, VAL, Table
from fedmed.data.prepare import split_of

CHUNK = 1 << 26
"""Bytes of images of which one copy at a time is made for their digest."""


class Fingerprint(NamedTuple):
    """Digests of images and labels: those to train and validate on, and the server's test set."""

    data: str
    test: str


def fingerprint(table: Table) -> Fingerprint:
    """A digest that is equal where two runs saw the same data, in the same order."""
    split = split_of(table)
    return Fingerprint(_digest(table, (split == TRAIN) | (split == VAL)), _digest(table, split == TEST))


def _digest(table: Table, chosen: NDArray[np.bool_]) -> str:
    """A digest of every chosen image and label, and of which labels are known where some are not."""
    digest, rows = blake2b(digest_size=16), torch.from_numpy(np.flatnonzero(chosen))
    known = [] if table.examples.seen is None else [table.examples.seen]
    for tensor in (table.examples.x, table.examples.y, *known):
        digest.update(repr((tensor.dtype, len(rows), tuple(tensor.shape[1:]))).encode())
        size = tensor.element_size() * tensor.shape[1:].numel()
        for part in rows.split(max(1, CHUNK // max(1, size))):
            digest.update(np.ascontiguousarray(tensor[part].numpy()).data)
    return digest.hexdigest()
