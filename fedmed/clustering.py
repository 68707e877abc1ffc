"""FINCH: clusters of rows from first neighbours alone, without a number of clusters or a threshold.

Sarfraz, Sharma, Stiefelhagen: Efficient Parameter-Free Clustering Using First Neighbor Relations.
CVPR 2019, arXiv 1902.11266.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fedmed.directions import unit

BLOCK = 1024
"""Rows that are compared with all others at a time, which bounds the memory for similarities."""


LINKED = 3
"""Up to so many rows are one cluster, as a cluster has two rows or more."""


def finch(rows: Tensor) -> list[Tensor]:
    """The partitions of finite rows (N, D) by cosine, finest first: labels (N,) int64, counted from 0.

    Each coarser one links the centroids of the one before. A single cluster is a partition only where the first
    neighbours of the rows link them all.
    """
    labels, number = _linked(rows)
    levels = [labels]
    while number > LINKED:
        labels, number = _linked(centroids(rows, levels[-1]))
        if number > 1:
            levels.append(labels[levels[-1]])
    return levels


def centroids(rows: Tensor, labels: Tensor) -> Tensor:
    """The mean of the rows (N, D) of every cluster (K, D), each row counting alike."""
    count = torch.bincount(labels)
    return rows.new_zeros(len(count), rows.shape[1]).index_add_(0, labels, rows) / count[:, None]


def _linked(rows: Tensor) -> tuple[Tensor, int]:
    """Labels (N,) of the sets that the links from each row to its first neighbour connect, and how many there are."""
    if len(rows) <= LINKED:
        return torch.zeros(len(rows), dtype=torch.int64, device=rows.device), 1
    neighbour: list[int] = _first_neighbours(rows).tolist()
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
    return torch.tensor(label, device=rows.device), sets


def _first_neighbours(rows: Tensor) -> Tensor:
    """The other row of largest cosine for every row (N,), the lowest number among equals."""
    directions = unit(rows)
    found = []
    for start in range(0, len(directions), BLOCK):
        similar = directions[start : start + BLOCK] @ directions.T  # (<= BLOCK, N)
        similar.diagonal(start).fill_(-torch.inf)
        found.append(similar.argmax(1))
    return torch.cat(found)
