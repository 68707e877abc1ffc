"""How long a round would take on clients' own machines and lines: a simulated clock that costs no time.

Deadlines as in Bonawitz et al.: Towards Federated Learning at Scale: System Design. MLSys 2019, arXiv 1902.01046. What
clients' devices and lines differ by spans orders of magnitude: Lai et al.: FedScale. ICML 2022, arXiv 2105.11367; a
log-normal spread is our simplification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Annotated, NamedTuple

from annotated_types import Ge, Gt

from fedmed import rng
from fedmed.options.base import Options


class Duration(NamedTuple):
    """Simulated seconds of one client's round, in its order: download, training, upload."""

    down: float
    compute: float
    up: float


@dataclass(frozen=True, kw_only=True)
class System(Options, ABC):
    """How long clients take, and how long the server waits."""

    @abstractmethod
    def duration(self, client: int, *, images: int, down: int, up: int, seed: int) -> Duration | None:
        """How long a client's round takes; None where no clock runs.

        images: passed over in training, repeats counted. down, up: bytes.
        """

    @abstractmethod
    def late(self, duration: Duration | None) -> bool:
        """Whether the server no longer waited for a client that took so long."""

    @abstractmethod
    def waited(self, seconds: Sequence[float], *, complete: bool) -> float | None:
        """How long the server's round takes; None where no clock runs.

        seconds: of the clients that came in time. complete: whether those are all that were selected.
        """


@dataclass(frozen=True, kw_only=True)
class NoneSystem(System):
    """No time is simulated."""

    def duration(self, client: int, *, images: int, down: int, up: int, seed: int) -> None:
        return None

    def late(self, duration: Duration | None) -> bool:
        return False

    def waited(self, seconds: Sequence[float], *, complete: bool) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class ProfileSystem(System):
    """Clients of unlike speed on lines of unlike speed, all drawn once; evaluation takes no time.

    seconds_per_image: training on one image at the median client (seconds, >= 0).
    download: of the median client (Mbit/s, > 0).
    upload: of the median client (Mbit/s, > 0).
    spread: how unlike they are: standard deviation of the logarithm of a client's speed and of its line's (>= 0; 0: all
       alike).
    deadline: how long the server waits; who takes longer is left out of the mean (seconds, > 0; null: for all that
       answer, and for those that drop out not at all).
    """

    seconds_per_image: Annotated[float, Ge(0)] = 0.01
    download: Annotated[float, Gt(0)] = 50.0
    upload: Annotated[float, Gt(0)] = 10.0
    spread: Annotated[float, Ge(0)] = 0.5
    deadline: Annotated[float, Gt(0)] | None = None

    def duration(self, client: int, *, images: int, down: int, up: int, seed: int) -> Duration:
        # by the client's number alone, not the round's: a slow client is slow throughout the run
        slow_machine, slow_line = rng.numpy_generator(seed, "system", client).standard_normal(2) * self.spread
        return Duration(
            down=8e-6 * down / self.download * exp(slow_line),
            compute=images * self.seconds_per_image * exp(slow_machine),
            up=8e-6 * up / self.upload * exp(slow_line),
        )

    def late(self, duration: Duration | None) -> bool:
        return self.deadline is not None and duration is not None and sum(duration) > self.deadline

    def waited(self, seconds: Sequence[float], *, complete: bool) -> float:
        return max(seconds, default=0.0) if complete or self.deadline is None else self.deadline
