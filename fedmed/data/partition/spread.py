"""Dealing strata of rows out to clients, each client getting its share of every stratum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import ImageMetadata
from fedmed.data.strata import cut, rows_of, sampling_units
from fedmed.errors import refuse


def spread(
    images: ImageMetadata, stratum: Indices, shares: NDArray[np.float64], rng: np.random.Generator
) -> list[Indices]:
    """Divides each stratum by its shares (strata, clients), training and validation rows alike, patients kept whole."""
    held, clients = sampling_units(images.patient, stratum, images.train), shares.shape[1]
    if clients > len(held.sizes):
        shared = "images" if images.patient is None else "patients, whose images stay together"
        raise refuse("clients", f"at most {len(held.sizes)} to share {len(held.sizes)} {shared}", clients)
    group = held.stratum * 2 + held.train
    order = rng.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    client = np.empty(len(order), np.int64)
    client[order] = cut(held.sizes[order], group[order], np.repeat(shares, 2, axis=0))
    return rows_of(client[held.of_row], clients)


def one_stratum(images: ImageMetadata) -> Indices:
    """All rows in one stratum, (N,)."""
    return np.zeros(len(images), np.int64)
