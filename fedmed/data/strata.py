"""Grouping and cutting for partitions: strata of labels, units that stay together, and cuts of strata into clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import Indices


@dataclass(frozen=True, slots=True)
class SamplingUnits:
    """Rows that stay together (those of one patient, or single rows).

    of_row: (N,) unit of every row. sizes: (U,) rows per unit. stratum: (U,) stratum of most rows of the unit.
    train: (U,) whether the unit's first row is a training row.
    """

    of_row: Indices
    sizes: Indices
    stratum: Indices
    train: NDArray[np.bool_]


def sampling_units(patient: Indices | None, stratum: Indices, train: NDArray[np.bool_]) -> SamplingUnits:
    """One unit per patient; one per row where patients are unknown."""
    if patient is None:
        return SamplingUnits(np.arange(len(train)), np.ones(len(train), np.int64), stratum, train)
    _, first, of_row, sizes = np.unique(patient, return_index=True, return_inverse=True, return_counts=True)
    return SamplingUnits(of_row, sizes, _majority(of_row, stratum), train[first])


def _majority(unit: Indices, stratum: Indices) -> Indices:
    """The most frequent stratum of every unit, (U,); the smaller number where two are equally frequent."""
    span = int(stratum.max(initial=0)) + 1
    pairs, counts = np.unique(unit * span + stratum, return_counts=True)
    order = np.lexsort((-pairs, counts))
    winner = np.zeros(int(unit.max(initial=-1)) + 1, np.int64)
    winner[pairs[order] // span] = pairs[order] % span  # the last write of a repeated index stays: the largest count
    return winner


def strata(labels: NDArray[Any], rare: int) -> Indices:
    """Stratum of every row, (N,), numbered from 0: its class, or its set of findings.

    labels: (N,) classes, or (N, L) bool. rare: a set of findings that fewer rows have joins the stratum of its
    rarest finding alone, so that no stratum is too small to be divided.
    """
    if labels.ndim == 1:
        return _dense(labels)
    merged = labels.astype(bool)
    group, counts = _powersets(merged)
    alone = np.flatnonzero((counts[group] < rare) & merged.any(1))
    rarest = np.where(merged[alone], merged.sum(0), len(merged) + 1).argmin(1)
    merged[alone] = False
    merged[alone, rarest] = True
    return _powersets(merged)[0]


def _powersets(labels: NDArray[np.bool_]) -> tuple[Indices, Indices]:
    """The number of every row's set of findings, (N,), and how many rows have each set."""
    code = np.zeros(len(labels), np.int64)
    for start in range(0, labels.shape[1], 32):
        bits = labels[:, start : start + 32]
        code = _dense(code) << 32 | bits @ (1 << np.arange(bits.shape[1]))
    group = _dense(code)
    return group, np.bincount(group)


def _dense(values: NDArray[Any]) -> Indices:
    """`values` renumbered 0, 1, ... in their order."""
    return np.unique(values, return_inverse=True)[1].reshape(len(values)).astype(np.int64)


def cut(size: Indices, group: Indices, shares: NDArray[np.float64]) -> Indices:
    """Cuts each group, in the given order, into consecutive parts: the part of every unit, (U,).

    size: (U,) rows per unit. group: (U,) ascending. shares: (G, K), the share of a group's rows that each part gets,
    rows summing to 1. A unit goes to the part in which its midpoint falls: single rows give shares right within a row.
    """
    end = np.cumsum(size)
    total = np.bincount(group, weights=size, minlength=len(shares))
    before = np.cumsum(total) - total
    middle = (end - size / 2 - before[group]) / total[group]
    edges = np.cumsum(shares, axis=1)
    edges[:, -1] = 1.0
    flat = (np.minimum(edges, 1.0) + np.arange(len(shares))[:, None]).ravel()
    found: Indices = np.searchsorted(flat, group + middle, side="right") - group * shares.shape[1]
    return found


def rows_of(client: Indices, clients: int) -> list[Indices]:
    """Sorted rows of every client, from the client of every row, (N,)."""
    order = np.argsort(client, kind="stable")
    return np.split(order, np.cumsum(np.bincount(client, minlength=clients))[:-1])
