"""One scheduling period: which of the jobs that wait are granted, and which leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.errors import refuse
from fedmed.scheduling.budgets import Budgets
from fedmed.scheduling.jobs import Job, JobsFile
from fedmed.scheduling.policy import Policy, Waiting

Array = NDArray[np.float64]

PERIOD = 1.0
"""tau: waiting time after which a job is worth half."""


class GrantedJob(NamedTuple):
    """A job that is granted. dominant: mu_ij, the largest part of a block that it takes. weight: w_ij then."""

    job: Job
    dominant: float
    weight: float

    @property
    def utility(self) -> float:
        """w_ij mu_ij."""
        return self.weight * self.dominant


@dataclass(frozen=True, slots=True)
class Decisions:
    """What has been decided in a period. granted: in the order of the policy. left: jobs whose patience is over."""

    granted: tuple[GrantedJob, ...] = ()
    left: tuple[Job, ...] = ()


def decide(found: JobsFile, undecided: Sequence[Job], spent: Array, time: float, policy: Policy) -> Decisions:
    """What the policy grants at a time of the jobs that have arrived and are not decided yet.

    spent: of every block at each order of the accounting (K, A). Raises `UserError` where the policy grants more than
    there is.
    """
    there = [job for job in undecided if job.arrives <= time]
    gone = tuple(job for job in there if time - job.arrives > job.patience)
    staying = [job for job in there if job not in gone]
    if not staying:
        return Decisions((), gone)
    waiting = waiting_jobs(found, staying, spent, time)
    chosen = policy.grant(waiting)
    if waiting.first_fit(chosen) != chosen:
        fix = "Have it grant what Waiting.first_fit finds to fit."
        raise refuse("policy", "grants within what is left of every block", type(policy).__name__, fix)
    granted = [GrantedJob(staying[j], float(waiting.dominant[j]), float(waiting.weights[j])) for j in chosen]
    return Decisions(tuple(granted), gone)


def waiting_jobs(found: JobsFile, jobs: Sequence[Job], spent: Array, time: float) -> Waiting:
    """What a policy sees of jobs that wait; blocks that are not there yet have nothing left."""
    costs = np.array([found.cost(job.demand) for job in jobs]).reshape(len(jobs), *found.capacity.shape)  # (J, K, A)
    there = np.array([block.since <= time for block in found.blocks])
    capacity = found.capacity * there[:, None]
    budgets = Budgets(capacity, spent)
    at = np.arange(len(there)), budgets.orders(costs.sum(axis=0))
    whole = found.capacity[at]
    names = {name: number for number, name in enumerate(found.analysts)}
    arrived = [sum(block.name in job.demand for job in found.jobs if job.arrives <= time) for block in found.blocks]
    return Waiting(
        shares=_over(costs[:, *at], whole),
        weights=np.array([job.weight / (1 + (time - job.arrives) / PERIOD) for job in jobs]),
        analysts=np.array([names[job.analyst] for job in jobs], dtype=np.intp),
        costs=costs,
        left=_over(np.where(there, whole - spent[at], 0.0), whole),
        budgets=budgets,
        time=time,
        arrived=np.array(arrived, dtype=float),
        ages=np.array([max(time - block.since, 0.0) for block in found.blocks]),
    )


def _over(values: Array, whole: Array) -> Array:
    """Parts of what blocks bear; of one that bears nothing at any order, all is infinitely much."""
    found: Array = np.divide(values, whole, out=np.where(values > 0, np.inf, 0.0), where=whole > 0)
    return found
