"""DPBalance: shares of analysts by the fairness asked for, then whole jobs inside each share.

Liu, Wang, Zhu, Chen: DPBalance: Efficient and Fair Privacy Budget Scheduling for Federated Learning as a Service.
INFOCOM 2024, arXiv 2402.09715. A reconstruction: no code is public, and what is known of the paper is its abstract,
summaries of it and its public reviews; seeds/dpbalance.md says which parts are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from fedmed.scheduling.budgets import Budgets
from fedmed.scheduling.policy import Policy, Waiting
from fedmed.scheduling.shares import Array, fair_shares

Jobs = NDArray[np.intp]

ROUNDING = 1e-9
"""Of a share: what a sum of demands may exceed it by."""


@dataclass(frozen=True, kw_only=True)
class DPBalance(Policy):
    """Maximises sum_i U_i^(1 - beta) / (1 - beta) over analysts' shares, then grants whole jobs inside them.

    beta: aversion to inequality between analysts (above 0): near 0 the sum of utilities, 1 proportional fairness,
       large the worst-off analyst.
    """

    beta: Annotated[float, Gt(0)] = 1.0

    def grant(self, waiting: Waiting) -> list[int]:
        analysts = analysts_of(waiting)
        demand = demands(waiting, analysts)
        shares = fair_shares(demand, np.maximum(waiting.left, 0.0), worths(waiting, analysts), self.beta)
        shared = demand * shares.granted[:, None]  # (M, K)
        inside = [_inside(waiting, jobs, budget) for jobs, budget in zip(analysts, shared, strict=True)]
        granted = [job for jobs in inside for job in jobs]
        budgets = waiting.budgets.copy()
        for job in granted:
            budgets.take(waiting.costs[job])
        return granted + _left_over(waiting, analysts, granted, budgets)


def analysts_of(waiting: Waiting) -> list[Jobs]:
    """Numbers of each analyst's jobs, of analysts that have any."""
    return [np.flatnonzero(waiting.analysts == analyst) for analyst in np.unique(waiting.analysts)]


def demands(waiting: Waiting, analysts: list[Jobs]) -> Array:
    """G_ik = sum_j g_ijk (M, K)."""
    return np.array([waiting.shares[jobs].sum(axis=0) for jobs in analysts]).reshape(-1, len(waiting.left))


def worths(waiting: Waiting, analysts: list[Jobs]) -> Array:
    """What a unit of each analyst's demand is worth, a_i = sum_j w_ij mu_ij / sum_j mu_ij (M,)."""
    return np.array([np.average(waiting.weights[jobs], weights=waiting.dominant[jobs]) for jobs in analysts])


def _by_value(waiting: Waiting, jobs: Jobs) -> list[int]:
    """An analyst's jobs by mu_ij / w_ij, ascending; ties as they arrived."""
    return [int(job) for job in jobs[np.argsort(waiting.dominant[jobs] / waiting.weights[jobs], kind="stable")]]


def _inside(waiting: Waiting, jobs: Jobs, budget: Array) -> list[int]:
    """Whole jobs inside an analyst's budget (K,); none where not even the smallest fits: one or more."""
    left, granted = budget + ROUNDING, []
    smallest = jobs[waiting.dominant[jobs].argmin()]
    if (waiting.shares[smallest] > left).any():
        return []
    for job in _by_value(waiting, jobs):
        if (waiting.shares[job] <= left).all():
            left = left - waiting.shares[job]
            granted.append(job)
    return granted


def _left_over(waiting: Waiting, analysts: list[Jobs], granted: list[int], budgets: Budgets) -> list[int]:
    """What nobody uses goes, a job at a time, to the analyst with the least utility so far, until nothing fits."""
    worth, taken, more = waiting.weights * waiting.dominant, set(granted), []
    utility = [sum(worth[job] for job in jobs if job in taken) for jobs in analysts]
    queues = [[job for job in _by_value(waiting, jobs) if job not in taken] for jobs in analysts]
    while any(queues):
        analyst = min((at for at, queue in enumerate(queues) if queue), key=lambda at: utility[at])
        job = queues[analyst].pop(0)
        if budgets.fits(waiting.costs[job]):  # what does not fit now never will: budgets only shrink
            budgets.take(waiting.costs[job])
            utility[analyst] += worth[job]
            more.append(job)
    return more
