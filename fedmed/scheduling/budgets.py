"""What is left of the blocks, and what of it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative error of sums that is no overdraft."""


@dataclass(slots=True)
class Budgets:
    """Capacities and what has been spent, at each order of the accounting (A = 1 for plain epsilons).

    capacity, spent: (K, A). A block bears what it bears by some order.
    """

    capacity: Array
    spent: Array

    def fits(self, cost: Array) -> bool:
        """Whether a job of that cost (K, A) keeps every block that it asks within its capacity."""
        requested = cost.any(axis=1)
        return bool(self._within_capacity(self.spent + cost)[requested].all())

    def take(self, cost: Array) -> None:
        """Spends a cost (K, A), which must fit."""
        self.spent = self.spent + cost

    def copy(self) -> Budgets:
        """Budgets of their own with the same in it."""
        return Budgets(self.capacity, self.spent.copy())

    def unlocked(self, part: Array) -> Budgets:
        """Budgets of which only a part (K,) of each capacity is open."""
        return Budgets(self.capacity * part[:, None], self.spent)

    def orders(self, requested: Array) -> NDArray[np.intp]:
        """The order (K,) at which the largest part of each block is left; of equal ones where most fits.

        requested: what waiting jobs ask in all (K, A).
        """
        known = self.capacity > 0
        whole = np.where(known, self.capacity, 1.0)
        left = np.where(known, 1 - self.spent / whole, -np.inf)
        best = left >= left.max(axis=1, keepdims=True) - ROUNDING
        load = np.where(best & known, requested / whole, np.inf)
        return np.where(known.any(axis=1), load.argmin(axis=1), 0)

    def _within_capacity(self, spent: Array) -> NDArray[np.bool_]:
        """Whether each block (K,) bears a sum (K, A) by some order."""
        within = (spent <= self.capacity * (1 + ROUNDING)) & (self.capacity > 0)
        return np.asarray(within.any(axis=1))
