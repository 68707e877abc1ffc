"""The contract of an engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from fedmed.client import Trainer
from fedmed.flower import LocalGrid
from fedmed.options.base import Options


class Workload(NamedTuple):
    """What there is to do. clients: that train in a round; images: passed in all rounds, by all clients."""

    clients: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Engine(Options):
    """Where clients' rounds run; each file in fedmed/engine holds one subclass, whose fields are its options.

    An engine whose clients share this process's memory, or are forked from it, overrides `grid`; any other, `open`.
    """

    remote: ClassVar[bool] = False
    """Whether Flower runs the whole of a run elsewhere, and clients keep their memory to themselves."""

    cuts_off: ClassVar[bool] = False
    """Whether it goes on without a client that hangs."""

    def check(self) -> None:
        """Raises `UserError` where the engine cannot run here."""

    def answers_within(self) -> float:
        """Seconds that clients' answers in a round may take."""
        return 3600.0

    def fitted(self, trainer: Trainer, load: Workload, say: Callable[[str], None]) -> Engine:
        """The engine for so much work: this one, unless it is one that chooses among others, and says which."""
        return self

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        """A grid of `clients` nodes that run the trainer's ClientApp; to be closed, as it may hold processes."""
        raise NotImplementedError(f"{type(self).__name__} has no grid of its own")

    def open(self, trainer: Trainer, clients: int, app: ClientApp) -> AbstractContextManager[Grid]:
        """The grid of a run, for the length of a block.

        app: the same ClientApp as the trainer's, which can be pickled and makes a trainer of its own in each process.
        """
        return self.grid(trainer, clients)
