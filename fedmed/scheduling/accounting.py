"""How privacy losses of jobs add up in a block: as epsilons, or at each of several Rényi orders.

Rényi form: Mironov, Rényi Differential Privacy, CSF 2017, arXiv 1702.07476; of blocks: Luo et al., Privacy Budget
Scheduling, OSDI 2021. Either way a job demands an epsilon, which stands for a scalar amount: the epsilon itself, or
rho = 1 / (2 sigma^2) of the Gaussian release of that epsilon, which costs rho alpha at order alpha.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
AccountingName = Literal["epsilon", "renyi"]

ORDERS = np.array([1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 16.0, 32.0, 64.0])
"""Rényi orders alpha."""


class Accounting(ABC):
    """What a release costs at each order (A,), and how much a block can bear at each."""

    unit: Array
    """Cost of the amount 1 at each order (A,)."""

    smallest: float = 0.0
    """Epsilon above which a demand has to lie."""

    @abstractmethod
    def capacity(self, epsilon: float) -> Array:
        """What a block of that epsilon bears at each order (A,)."""

    @abstractmethod
    def amount(self, epsilon: float) -> float:
        """The amount that a demand of that epsilon stands for."""

    @abstractmethod
    def epsilon(self, amount: float) -> float:
        """The epsilon of an amount; the inverse of `amount`."""

    def cost(self, epsilon: float) -> Array:
        """What a demand of that epsilon costs at each order (A,)."""
        return self.amount(epsilon) * self.unit

    def largest(self, left: Array) -> float:
        """The largest epsilon that one more job could have of what is left at each order (A,)."""
        return self.epsilon(max(float((left / self.unit).max()), 0.0))


class EpsilonAccounting(Accounting):
    """Basic composition: epsilons add up, and so do deltas."""

    unit = np.ones(1)

    def capacity(self, epsilon: float) -> Array:
        return np.array([epsilon])

    def amount(self, epsilon: float) -> float:
        return epsilon

    def epsilon(self, amount: float) -> float:
        return amount


@dataclass(frozen=True)
class RenyiAccounting(Accounting):
    """Losses add up at each order, and a block is within its epsilon at `delta` if it is so by some order."""

    delta: float

    unit = ORDERS

    def __post_init__(self) -> None:
        """Below the epsilon that no noise can prove at these orders there is no demand."""
        object.__setattr__(self, "smallest", float(self._rest.min()))

    @property
    def _rest(self) -> Array:
        """log(1 / delta) / (alpha - 1)."""
        return log(1 / self.delta) / (ORDERS - 1)

    def capacity(self, epsilon: float) -> Array:
        # E(alpha) = epsilon - log(1 / delta) / (alpha - 1), floored at 0
        return np.maximum(epsilon - self._rest, 0.0)

    def amount(self, epsilon: float) -> float:
        return float((self.capacity(epsilon) / ORDERS).max())

    def epsilon(self, amount: float) -> float:
        return float((amount * ORDERS + self._rest).min()) if amount > 0 else 0.0


def accounting_of(name: AccountingName, delta: float) -> Accounting:
    """The accounting of that name. delta: at which every epsilon is stated."""
    return RenyiAccounting(delta) if name == "renyi" else EpsilonAccounting()
