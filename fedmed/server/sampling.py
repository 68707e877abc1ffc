"""Which clients are selected for a round.

By size: Li et al.: On the Convergence of FedAvg on Non-IID Data. ICLR 2020, arXiv 1907.02189 (its scheme I draws with
replacement; here nobody is drawn twice). Availability by the time of day: Bonawitz et al.: Towards Federated Learning
at Scale: System Design. MLSys 2019, arXiv 1902.01046.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from fedmed import rng
from fedmed.data.npz.opening import check_regular
from fedmed.errors import Fault, UserError, refuse
from fedmed.options.base import Options

DIGITS = 9
"""Most digits of a client's number in a trace."""

Trace = Mapping[int, tuple[bool, ...]]
"""By client: whether it is available in each round of a trace."""


@dataclass(frozen=True, kw_only=True)
class Sampling(Options, ABC):
    """Which clients are selected to train in a round."""

    @abstractmethod
    def draw(self, images: Mapping[int, int], count: int | None, *, seed: int, round: int) -> list[int]:
        """At most `count` clients (None: no limit) in order of their number; nobody where nobody is available.

        images: how many training images each client of the federation has.
        """

    @property
    def alike(self) -> bool:
        """Whether those drawn count alike in the mean, whatever they hold; methods that weigh decide themselves."""
        return False

    @property
    def uniform(self) -> bool:
        """Whether every client is as likely to be drawn as any other."""
        return False

    def faults(self, clients: int) -> Iterator[Fault]:
        """What does not fit a federation of so many clients."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class UniformSampling(Sampling):
    """Any client, all as likely."""

    def draw(self, images: Mapping[int, int], count: int | None, *, seed: int, round: int) -> list[int]:
        return sample(sorted(images), count, seed=seed, round=round)

    @property
    def uniform(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class BySizeSampling(Sampling):
    """Clients with more images more often: one after another, in proportion to the images of those not drawn yet.

    weigh: by what those drawn count in the mean: alike (what they hold has counted in the drawing), or images
       (large clients then count twice, as their share squared).
    """

    weigh: Literal["alike", "images"] = "alike"

    def draw(self, images: Mapping[int, int], count: int | None, *, seed: int, round: int) -> list[int]:
        # sorted, as draws are by position: the order in which nodes came up must not matter
        holders = [client for client in sorted(images) if images[client]]
        if count is None or count >= len(holders):
            return holders
        total = sum(images.values())
        likely = [images[client] / total for client in holders]
        drawn = rng.numpy_generator(seed, "sample", round).choice(len(holders), count, replace=False, p=likely)
        return sorted(holders[i] for i in drawn)

    @property
    def alike(self) -> bool:
        return self.weigh == "alike"


@dataclass(frozen=True, kw_only=True)
class AvailabilitySampling(Sampling):
    """Any client that is available in the round, by a file or by its time of day; a round without one passes idle.

    path: CSV file without header, a line per client: its number, then 1 or 0 for each round; a run that is longer
       starts it again (null: by time of day).
    period: rounds in a day, without a file (>= 1).
    share: part of the day in which a client is available, without a file (above 0 to 1; 1: always); when its day
       begins is drawn.
    """

    path: str | None = None
    period: Annotated[int, Ge(1)] = 24
    share: Annotated[float, Interval(gt=0, le=1)] = 0.5

    def draw(self, images: Mapping[int, int], count: int | None, *, seed: int, round: int) -> list[int]:
        there = [client for client in sorted(images) if self._available(client, seed, round)]
        return sample(there, count, seed=seed, round=round)

    def faults(self, clients: int) -> Iterator[Fault]:
        if self.path is None:
            return
        try:
            absent = sorted(set(range(clients)) - read_trace(Path(self.path)).keys())
        except UserError as error:
            yield from error.faults
            return
        if absent:
            fix = f"Add a line for client {absent[0]}."
            yield Fault("sampling.path", f"a line for each of {clients} clients", f"none for {absent}", fix)

    def _available(self, client: int, seed: int, round: int) -> bool:
        if self.path is not None:
            trace = read_trace(Path(self.path))[client]
            return trace[(round - 1) % len(trace)]
        begins = rng.seed_of(seed, "availability", client) % self.period
        return (round + begins) % self.period < self.share * self.period


def sample(clients: Sequence[int], count: int | None, *, seed: int, round: int) -> list[int]:
    """The clients of a round, in order of their number: all of them, or `count` drawn without replacement."""
    if count is None or count >= len(clients):
        return sorted(clients)
    drawn = rng.numpy_generator(seed, "sample", round).choice(len(clients), count, replace=False)
    return sorted(clients[i] for i in drawn)


def read_trace(path: Path) -> Trace:
    """The trace in a file; raises `UserError` where it cannot be read."""
    check_regular(path, "sampling.path", "a CSV file", ".csv")
    try:
        return _read_version(path, path.stat().st_mtime_ns)
    except UnicodeDecodeError as error:
        fix = "Write a line per client: its number, then 1 or 0 for each round."
        raise refuse("sampling.path", "a CSV file", f"{path}: no text", fix) from error
    except OSError as error:
        raise refuse("sampling.path", "a CSV file", f"{path} ({error.strerror})", "Check the path.") from error


@lru_cache(maxsize=8)
def _read_version(path: Path, changed: int) -> Trace:
    """The trace in one version of a file, read once."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    rows = {number: [cell.strip() for cell in line.split(",")] for number, line in lines if line.strip()}
    trace: dict[int, tuple[bool, ...]] = {}
    for number, (client, *cells) in rows.items():
        if (
            not client.isdecimal()
            or len(client) > DIGITS
            or int(client) in trace
            or not cells
            or set(cells) - {"0", "1"}
        ):
            expected = "the number of a client that no other line has, then a 0 or a 1 for each round"
            raise refuse(f"sampling.path: {path}, line {number}", expected, ",".join([client, *cells])[:60], "Mend it.")
        trace[int(client)] = tuple(cell == "1" for cell in cells)
    return trace
