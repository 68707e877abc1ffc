"""FINCH: clusters of rows from first neighbours alone, without a number of clusters or a threshold.

Sarfraz, Sharma, Stiefelhagen: Efficient Parameter-Free Clustering Using First Neighbor Relations.
CVPR 2019, arXiv 1902.11266.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from fedmed.strategies._directions import unit

BLOCK = 1024
"""Rows that are compared with all others at a time, which bounds the memory for similarities."""

LINKED = 3
"""Up to so many rows are one cluster, as a cluster has two rows or more."""


def finch(rows: Tensor, sizes: Sequence[int] | None = None) -> list[Tensor]:
    """The partitions of finite rows (N, D) by cosine, finest first: labels (N,) int64, counted from 0.

    Each coarser one links the centroids of the one before. A single cluster is a partition only where the first
    neighbours of the rows link them all.
    sizes: of groups of rows, one after the other, that are clustered each on its own (one or more); one with fewer
       partitions than others ends with copies of its last. None: all rows are one group.
    """
    found = _linked(rows, [len(rows)] if sizes is None else sizes)
    counts = _counts(found)
    levels = [_joined(found, counts, rows.device)]
    while max(counts) > LINKED:
        coarser = _linked(centroids(rows, levels[-1]), counts)
        found = [sets if any(sets) else list(range(count)) for sets, count in zip(coarser, counts, strict=True)]
        fewer = _counts(found)
        if fewer == counts:
            break
        counts = fewer
        levels.append(_joined(found, counts, rows.device)[levels[-1]])
    return levels


def centroids(rows: Tensor, labels: Tensor) -> Tensor:
    """The mean of the rows (N, D) of every cluster (K, D), each row counting alike."""
    count = torch.bincount(labels)
    return rows.new_zeros(len(count), rows.shape[1]).index_add_(0, labels, rows) / count[:, None]


def _linked(rows: Tensor, sizes: Sequence[int]) -> list[list[int]]:
    """For every group of rows, the sets of its rows, counted from 0, that links to their first neighbours make."""
    groups = unit(rows).split(list(sizes))
    flat: list[int] = torch.cat([_first_neighbours(group) for group in groups]).tolist()
    return [_sets(flat[start:end]) for start, end in pairwise(accumulate(sizes, initial=0))]


def _first_neighbours(directions: Tensor) -> Tensor:
    """The other row of largest cosine for every row (N,), the lowest number among equals; the first of a few rows."""
    if len(directions) <= LINKED:
        return torch.zeros(len(directions), dtype=torch.int64, device=directions.device)
    found = []
    for start in range(0, len(directions), BLOCK):
        similar = directions[start : start + BLOCK] @ directions.T  # (<= BLOCK, N)
        similar.diagonal(start).fill_(-torch.inf)
        found.append(similar.argmax(1))
    return torch.cat(found)


def _sets(neighbour: Sequence[int]) -> list[int]:
    """The sets of rows, counted from 0, that the links from each row to another one connect."""
    label = [-1] * len(neighbour)
    sets = 0
    for start in range(len(neighbour)):
        path, row = [], start
        while label[row] < 0:  # -2 marks the path, which ends in a cycle of its own or in a set that is known
            label[row] = -2
            path.append(row)
            row = neighbour[row]
            if label[row] == -2:
                label[row] = sets
                sets += 1
        for passed in path:
            label[passed] = label[row]
    return label


def _counts(found: Sequence[Sequence[int]]) -> list[int]:
    return [max(sets, default=-1) + 1 for sets in found]


def _joined(found: Sequence[Sequence[int]], counts: Sequence[int], device: torch.device) -> Tensor:
    """The sets of all groups, of which each has so many, counted on from one group to the next."""
    before = accumulate(counts[:-1], initial=0)
    flat = [number + first for sets, first in zip(found, before, strict=True) for number in sets]
    return torch.tensor(flat, dtype=torch.int64, device=device)
