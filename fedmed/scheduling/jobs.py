"""The jobs file: hospitals' privacy budgets and the jobs that ask for them, as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.scheduling.accounting import Accounting, AccountingName, accounting_of

Array = NDArray[np.float64]


class Block(NamedTuple):
    """A budget of privacy that is spent together: a hospital, or a hospital's images of one time.

    capacity: epsilon that all jobs together may spend of it (above 0). hospital: whose it is. since: time from which
    it is there.
    """

    name: str
    capacity: float
    hospital: str
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training run that an analyst asks for.

    demand: epsilon that it asks of each block (above 0). weight: l_ij, what a unit of its demand is worth (above 0).
    arrives: time at which it comes. patience: how long it waits before it leaves. run: options of its run, as of
    `fedmed run`.
    """

    name: str
    analyst: str
    demand: Mapping[str, float]
    weight: float = 1.0
    arrives: float = 0.0
    patience: float = inf
    run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsFile:
    """Blocks, and the jobs that ask for them in the order of their arrival.

    delta: at which every epsilon is stated. accounting: how losses add up, epsilon or renyi.
    """

    blocks: tuple[Block, ...]
    jobs: tuple[Job, ...] = field(default=())
    delta: float = 1e-5
    accounting: AccountingName = "epsilon"

    @property
    def composition(self) -> Accounting:
        """How losses add up."""
        return accounting_of(self.accounting, self.delta)

    @property
    def hospitals(self) -> list[str]:
        """Hospitals in the order in which the file names them: client 0, 1, ... of every run."""
        return list(dict.fromkeys(block.hospital for block in self.blocks))

    @property
    def analysts(self) -> list[str]:
        """Analysts in the order in which the file names them."""
        return list(dict.fromkeys(job.analyst for job in self.jobs))

    @property
    def capacity(self) -> Array:
        """Of every block at each order (K, A)."""
        return np.array([self.composition.capacity(block.capacity) for block in self.blocks])

    def cost(self, demand: Mapping[str, float]) -> Array:
        """What epsilons by block cost at each order (K, A)."""
        composition = self.composition
        return np.array([composition.cost(demand.get(block.name, 0.0)) for block in self.blocks])


def in_order(jobs: list[Job]) -> tuple[Job, ...]:
    """Jobs as they arrive; those that come together stay as they are."""
    return tuple(sorted(jobs, key=lambda job: job.arrives))
