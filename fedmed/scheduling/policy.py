"""What a scheduling policy is, and what it sees of the jobs that wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedmed.options.base import Options
from fedmed.scheduling.budgets import Budgets

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The jobs that wait at one time, in the order of their arrival, J of them on K blocks.

    shares: g (J, K), demands as parts of the blocks' capacities. weights: w (J,), what a unit of demand is worth now.
    analysts: (J,) number of each job's analyst. costs: (J, K, A), demands at each order of the accounting.
    left: c (K,), what is left of each block as a part of its capacity. budgets: the blocks. time: of the period.
    arrived: (K,) jobs so far that have asked each block. ages: (K,) time since each block was there.
    """

    shares: Array
    weights: Array
    analysts: NDArray[np.intp]
    costs: Array
    left: Array
    budgets: Budgets
    time: float = 0.0
    arrived: Array
    ages: Array

    @property
    def dominant(self) -> Array:
        """The dominant share of each job, mu_ij = max_k g_ijk (J,)."""
        found: Array = self.shares.max(axis=1, initial=0.0)
        return found

    def first_fit(self, order: Iterable[int], budgets: Budgets | None = None) -> list[int]:
        """The jobs, tried in that order, each of which fits what those before it leave; budgets stay as they are."""
        left, granted = (budgets or self.budgets).copy(), []
        for job in order:
            if left.fits(self.costs[job]):
                left.take(self.costs[job])
                granted.append(int(job))
        return granted


@dataclass(frozen=True, kw_only=True)
class Policy(Options, ABC):
    """Decides which of the waiting jobs are granted; a job is granted whole or not at all."""

    @abstractmethod
    def grant(self, waiting: Waiting) -> list[int]:
        """The numbers of the granted jobs, in the order in which they are granted."""
