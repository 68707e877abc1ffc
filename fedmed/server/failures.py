"""Clients that were selected and never answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from fedmed import rng
from fedmed.options.base import Options


@dataclass(frozen=True, kw_only=True)
class Failures(Options, ABC):
    """Which of the selected clients drop out; they got the weights, and nothing changes at them."""

    @abstractmethod
    def lost(self, selected: Sequence[int], *, seed: int, round: int) -> list[int]:
        """Those that drop out, in the order in which they were selected."""


@dataclass(frozen=True, kw_only=True)
class NoneFailures(Failures):
    """No client drops out."""

    def lost(self, selected: Sequence[int], *, seed: int, round: int) -> list[int]:
        return []


@dataclass(frozen=True, kw_only=True)
class DropoutFailures(Failures):
    """Each client drops out of a round with the same probability, whatever else happens.

    rate: that probability (0 to below 1; 0: nobody).
    """

    rate: Annotated[float, Interval(ge=0, lt=1)] = 0.1

    def lost(self, selected: Sequence[int], *, seed: int, round: int) -> list[int]:
        # a generator for each client and round: nobody's fate depends on who else was selected
        return [c for c in selected if rng.numpy_generator(seed, "failure", round, c).random() < self.rate]
