"""Jobs of a synthetic workload: the demands that the literature on budgets of privacy simulates.

Luo et al., Privacy Budget Scheduling, OSDI 2021: two independent draws of 3 to 1, of epsilon .01 or .1 per block, and
of one block or ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from fedmed.options.base import Options
from fedmed.rng import numpy_generator
from fedmed.scheduling.jobs import Block, Job, JobsFile

SMALL = 0.75
"""Probability of the smaller epsilon, and of a single block."""

MANY = 10
"""Blocks that a job asks which asks several."""

TIMES = 10
"""Times at which jobs come, for workload=arrivals."""


@dataclass(frozen=True, kw_only=True)
class SyntheticJobs(Options):
    """Jobs of analysts that ask random blocks of capacity 1.

    workload: batch (all jobs at once, as many of each analyst, weights uniform in [.5, 1.5]) or arrivals (jobs at times
       0 to 9, the first analyst asking three times as often as each other, weight 1).
    seeds: workloads that are drawn (at least 1).
    analysts: how many (0: 6 for workload=batch, 10 for arrivals).
    jobs: of each analyst for workload=batch, at each time for arrivals (0: 25, or 20).
    blocks: how many (at least 1).
    """

    workload: Literal["batch", "arrivals"] = "batch"
    seeds: Annotated[int, Ge(1)] = 8
    analysts: Annotated[int, Ge(0)] = 0
    jobs: Annotated[int, Ge(0)] = 0
    blocks: Annotated[int, Ge(1)] = 12

    def draw(self, seed: int) -> JobsFile:
        """Draws the jobs of one seed."""
        rng = numpy_generator(seed, "scheduling", self.workload)
        blocks = tuple(Block(f"block{k}", 1.0, f"block{k}") for k in range(self.blocks))
        requests = self._batch(rng) if self.workload == "batch" else self._arrivals(rng)
        return JobsFile(
            blocks=blocks, jobs=tuple(self._job(rng, number, *each) for number, each in enumerate(requests))
        )

    def _batch(self, rng: np.random.Generator) -> list[tuple[int, float, float]]:
        """Analyst, time and weight of each job."""
        analysts = self.analysts or 6
        turns = rng.permutation(np.arange((self.jobs or 25) * analysts) % analysts)
        return [(int(analyst), 0.0, float(rng.uniform(0.5, 1.5))) for analyst in turns]

    def _arrivals(self, rng: np.random.Generator) -> list[tuple[int, float, float]]:
        analysts = self.analysts or 10
        often = np.array([3.0, *[1.0] * (analysts - 1)])
        times = np.repeat(np.arange(TIMES), self.jobs or 20)
        return [(int(rng.choice(analysts, p=often / often.sum())), float(time), 1.0) for time in times]

    def _job(self, rng: np.random.Generator, number: int, analyst: int, time: float, weight: float) -> Job:
        epsilon = 0.01 if rng.random() < SMALL else 0.1
        count = 1 if rng.random() < SMALL else min(MANY, self.blocks)
        chosen = rng.choice(self.blocks, size=count, replace=False)
        demand = {f"block{k}": epsilon for k in sorted(chosen)}
        return Job(name=f"job{number}", analyst=f"analyst{analyst}", demand=demand, weight=weight, arrives=time)
