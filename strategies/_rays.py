"""Rays: points of the simplex over J objectives, one in each of n cells of equal mass, other ones in every round.

Chen, Wu, Liu, He, Ong, Jin, Lao, Yu: Voronoi-grid-based Pareto Front Learning and Its Application to Collaborative
Federated Learning. ICML 2025, arXiv 2505.20648. The cells are Lloyd's (IEEE Trans. Inf. Theory 28, 1982).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed import rng

Points = NDArray[np.float64]

POINTS, STEPS = 4_000, 20
"""Points of the simplex by which cells are found, and steps of Lloyd's, up to `FEW` cells; `MANY` beyond."""

FEW, MANY = 16, (20_000, 60)

DRAWS = 4_000
"""Points among which the rays of a round are looked for."""


@cache
def sites(objectives: int, n: int) -> Points:
    """Centres (n, J) of n Voronoi cells of the simplex that hold equal shares of it, nearly; the same everywhere."""
    count, steps = (POINTS, STEPS) if n <= FEW else MANY
    points = rng.numpy_generator(0, "sites", objectives, n).dirichlet(np.ones(objectives), count)
    found = points[:n].copy()
    for _ in range(steps):
        cell = cells(points, found)
        sizes = np.bincount(cell, minlength=n)
        sums = np.stack([np.bincount(cell, column, minlength=n) for column in points.T], axis=1)
        held = sizes > 0
        found[held] = sums[held] / sizes[held, None]
    return found


def cells(points: Points, centres: Points) -> NDArray[np.int64]:
    """The nearest centre (P,) of every point (P, J), of centres (n, J)."""
    # ||p - s||^2 without ||p||^2, which is the same for every centre
    found: NDArray[np.int64] = ((centres**2).sum(1) - 2 * points @ centres.T).argmin(1)
    return found


def rays(objectives: int, n: int, *, seed: int, round: int) -> Tensor:
    """The rays of a round (n, J) float64: a point of the simplex from every cell, its centre where none is drawn."""
    centres = sites(objectives, n)
    drawn = rng.numpy_generator(seed, "rays", round).dirichlet(np.ones(objectives), DRAWS)
    found = centres.copy()
    reached, first = np.unique(cells(drawn, centres), return_index=True)
    found[reached] = drawn[first]
    return torch.from_numpy(found)
