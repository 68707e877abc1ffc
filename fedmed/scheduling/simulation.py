"""What policies make of jobs over time: a replay without training and without a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.fairness import jain
from fedmed.scheduling.jobs import JobsFile
from fedmed.scheduling.measures import platform_utility
from fedmed.scheduling.period import decide
from fedmed.scheduling.policy import Policy

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What has become of the jobs of a file under a policy.

    utilities: sum of w_ij mu_ij over each analyst's granted jobs (M,). granted, waiting, left: how many jobs were
    granted, still wait, or left when their patience was over. delay: mean time from arrival to grant; 0 without grants.
    """

    utilities: Array
    granted: int
    waiting: int
    left: int
    delay: float

    @property
    def efficiency(self) -> float:
        """Sum of utilities."""
        return float(self.utilities.sum())

    @property
    def fairness(self) -> float:
        """Jain's index of utilities."""
        return jain(self.utilities.tolist())

    @property
    def worst(self) -> float:
        """Utility of the analyst who is worst off."""
        return float(self.utilities.min(initial=np.inf)) if len(self.utilities) else 0.0

    def platform(self, beta: float) -> float | None:
        """The platform's utility f at some aversion to inequality."""
        return platform_utility(self.utilities, beta)


def replay(found: JobsFile, policy: Policy) -> Replay:
    """Has the policy decide at times 0, 1, 2, ... up to the last arrival; what is granted is spent in full."""
    names = {name: at for at, name in enumerate(found.analysts)}
    utilities, spent = np.zeros(len(names)), np.zeros_like(found.capacity)
    undecided, delays, gone = list(found.jobs), [], 0
    for time in range(ceil(max((job.arrives for job in found.jobs), default=0.0)) + 1):
        decided = decide(found, undecided, spent, float(time), policy)
        for each in decided.granted:
            utilities[names[each.job.analyst]] += each.utility
            spent = spent + found.cost(each.job.demand)
            delays.append(time - each.job.arrives)
        gone += len(decided.left)
        done = {each.job.name for each in decided.granted} | {job.name for job in decided.left}
        undecided = [job for job in undecided if job.name not in done]
    return Replay(
        utilities=utilities,
        granted=len(delays),
        waiting=len(undecided),
        left=gone,
        delay=fmean(delays) if delays else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A policy's replays of several workloads: means of what `Replay` has, and f at the policy's own beta."""

    policy: str
    efficiency: float
    fairness: float
    worst: float
    granted: float
    waiting: float
    delay: float


def row_of(policy: str, replays: Sequence[Replay]) -> PolicyRow:
    """The means of a policy over replays."""
    return PolicyRow(
        policy=policy,
        efficiency=fmean(each.efficiency for each in replays),
        fairness=fmean(each.fairness for each in replays),
        worst=fmean(each.worst for each in replays),
        granted=fmean(each.granted for each in replays),
        waiting=fmean(each.waiting for each in replays),
        delay=fmean(each.delay for each in replays),
    )
