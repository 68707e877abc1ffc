"""Several losses at once: fronts, the hypervolume that they cover, and what each loss contributes to it.

Chen, Wu, Liu, He, Ong, Jin, Lao, Yu: Voronoi-grid-based Pareto Front Learning and Its Application to Collaborative
Federated Learning. ICML 2025, arXiv 2505.20648. Hypervolume as a loss: Hoang et al., AAAI 2023, arXiv 2212.01130.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

from fedmed import rng

SAMPLES = 1024
"""Points of a face by which its uncovered share is estimated, for three objectives or more."""

BOX_SAMPLES = 20_000
"""Points of the box below the reference by which a hypervolume of four objectives or more is estimated."""

TINY = 1e-12
"""Length up to which a vector counts as 0."""

MARGIN = 1.1
"""How far above the largest loss the reference lies at least, as a factor."""


def coefficients(losses: Tensor, rays: Tensor, ref: Tensor, distance: float, generator: torch.Generator) -> Tensor:
    """What every loss counts in training (n, J) float64: its share of the hypervolume, and the way to its ray.

    losses: (n, J), row k at ray k. rays: (n, J). ref: reference point (J,). distance: lambda, the weight of the way.
    c_k = g_k / ||g_k|| + lambda v_k / ||v_k||, with g = -dHV/dL within the front of k, and v_k the part of L_k - r_k
    that is orthogonal to (1, .., 1). Entries may be negative: a loss that is too good for its ray is pushed up.
    """
    g = torch.zeros_like(losses)
    for front in fronts(losses):
        g[front] = gradient(losses[front], ref, generator)
    even = torch.full_like(g, 1 / sqrt(g.shape[1]))  # for a point that covers nothing of its own
    v = losses - places(losses, rays)
    return torch.where(g.norm(dim=1, keepdim=True) > TINY, _unit(g), even) + distance * _unit(v)


def places(losses: Tensor, rays: Tensor) -> Tensor:
    """The points (n, J) nearest to losses (n, J) on the lines {r_k + t (1, .., 1)} of their rays (n, J)."""
    return rays + (losses - rays).mean(1, keepdim=True)


def moved(ref: Tensor, losses: Tensor) -> Tensor:
    """The reference point (J,), moved where losses (n, J) come too near: ref_j <- max(ref_j, 1.1 max_k L[k, j])."""
    return torch.maximum(ref, MARGIN * losses.amax(0))


def fronts(losses: Tensor) -> list[Tensor]:
    """Rows of losses (n, J) by front, (m,) int64 each: those that no row left dominates; equal rows share one."""
    left, found = torch.arange(len(losses)), []
    while len(left):
        best = ~_dominated(losses[left])
        found.append(left[best])
        left = left[~best]
    return found


def _dominated(losses: Tensor) -> Tensor:
    """Which rows (n,) another one is below in some objective, and above in none."""
    one, other = losses[:, None], losses[None]
    return ((one <= other).all(2) & (one < other).any(2)).any(0)


def gradient(front: Tensor, ref: Tensor, generator: torch.Generator) -> Tensor:
    """-dHV/dL (m, J) of a front (m, J): the measure of the face that only this point covers, one for each objective.

    Exact for two objectives, else from `SAMPLES` points of each face. 0 for a point that is there twice, or that is
    not below the reference in every objective.
    """
    if front.shape[1] == 2:
        return _gradient_of_two(front, ref)
    uniform = torch.rand(SAMPLES, front.shape[1], generator=generator, dtype=torch.float64)
    inside = (front < ref).all(1)
    found = torch.zeros_like(front)
    for k in inside.nonzero().flatten().tolist():
        width = ref - front[k]
        others = front[torch.arange(len(front)) != k]
        for j in range(front.shape[1]):
            y = front[k] + uniform * width  # (S, J), on the face where L_j is as it is
            y[:, j] = front[k, j]
            covered = (others[None] <= y[:, None]).all(2).any(1)
            found[k, j] = width.prod() / width[j] * (~covered).double().mean()
    return found


def _gradient_of_two(front: Tensor, ref: Tensor) -> Tensor:
    points, inverse, counts = front.unique(dim=0, return_inverse=True, return_counts=True)
    inside = (points < ref).all(1)
    inner = points[inside]  # L_1 ascends, so that L_2 falls
    found = torch.zeros_like(points)
    above = torch.cat([ref[1:], inner[:-1, 1]]) - inner[:, 1]
    right = torch.cat([inner[1:, 0], ref[:1]]) - inner[:, 0]
    found[inside] = torch.stack([above, right], dim=1)
    found[counts > 1] = 0
    return found[inverse]


def hypervolume(losses: Tensor, ref: Tensor) -> float:
    """The measure of what lies between losses (n, J) and the reference point (J,), in losses to the power of J.

    Exact for up to three objectives, else from `BOX_SAMPLES` points that are always the same.
    """
    points = losses[(losses < ref).all(1)]
    if not len(points):
        return 0.0
    if len(ref) == 1:
        return float(ref[0] - points.min())
    if len(ref) <= 3:
        return _sliced(points, ref)
    low = points.amin(0)
    uniform = torch.rand(BOX_SAMPLES, len(ref), generator=rng.generator(0, "hypervolume"), dtype=torch.float64)
    y = low + uniform * (ref - low)
    covered = torch.zeros(len(y), dtype=torch.bool)
    for point in points:
        covered |= (point <= y).all(1)
    return float((ref - low).prod() * covered.double().mean())


def _sliced(points: Tensor, ref: Tensor) -> float:
    """The sum over slices between neighbours in the last objective of their height times what they cover below it."""
    points = points[points[:, -1].argsort()]
    heights: list[float] = [*points[:, -1].tolist(), float(ref[-1])]
    return sum(
        (top - bottom) * hypervolume(points[: k + 1, :-1], ref[:-1])
        for k, (bottom, top) in enumerate(pairwise(heights))
    )


def _unit(vectors: Tensor) -> Tensor:
    """Vectors (n, J) of length 1; 0 stays 0."""
    length = vectors.norm(dim=1, keepdim=True)
    # what is left of a difference by rounding has no direction
    return torch.where(length > TINY, vectors / length.clamp(min=TINY), 0.0)
