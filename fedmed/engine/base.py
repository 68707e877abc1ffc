"""The contracts of an engine: one lends a grid to a run in this process, the other launches the run elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from fedmed.client import Trainer
from fedmed.engine.local import InProcessGrid
from fedmed.flower import LocalGrid, app_of
from fedmed.options.base import Options


class Workload(NamedTuple):
    """What there is to do. clients: that train in a round; images: passed in all rounds, by all clients."""

    clients: int
    images: int


class SiteImages(NamedTuple):
    """What the images of all sites have in common, where each site reads its own; None where it is not set yet.

    task: multiclass, multilabel or segmentation. classes: how many all sites have together. channels, side, dimensions:
    of images, dimensions being 3 for volumes.
    """

    task: str
    classes: int | None
    channels: int | None
    side: int | None
    dimensions: int = 2


@dataclass(frozen=True, kw_only=True)
class AnyEngine(Options):
    """What both kinds of engine say of themselves."""

    simulates: ClassVar[bool] = True
    """Whether clients are fedmed's own: the server gets their memory to keep it, and nodes to score its test images."""

    def check(self) -> None:
        """Raises `UserError` where the engine cannot be used here."""

    def answers_within(self) -> float:
        """Seconds that clients' answers in a round may take."""
        return 3600.0

    @property
    def site_images(self) -> SiteImages | None:
        """What the images of all sites have in common; None where one dataset is divided among the clients."""
        return None


@dataclass(frozen=True, kw_only=True)
class Engine(AnyEngine):
    """Where clients' rounds run; each file in fedmed/engine holds one subclass, whose fields are its options.

    It lends a grid, on which a run in this process asks its clients. By default they run in this process too, one after
    another. An engine whose clients share this process's memory, or are forked from it, overrides `grid`; any other,
    `open`, and nobody asks it for `grid`.
    """

    cuts_off: ClassVar[bool] = False
    """Whether it goes on without a client that hangs."""

    def fitted(self, trainer: Trainer, load: Workload, say: Callable[[str], None]) -> Engine:
        """The engine for so much work: this one, unless it is one that chooses among others, and says which."""
        return self

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        """A grid of `clients` nodes that run the trainer's ClientApp; to be closed, as it may hold processes."""
        return InProcessGrid(app_of(trainer), clients)

    def open(self, trainer: Trainer, clients: int, app: ClientApp) -> AbstractContextManager[Grid]:
        """The grid of a run, for the length of a block.

        app: the same ClientApp as the trainer's, which can be pickled and makes a trainer of its own in each process.
        """
        return self.grid(trainer, clients)


class LaunchedRun(Protocol):
    """A run that is carried out elsewhere."""

    def follow(self) -> None:
        """Shows the run's log on standard error until it ends.

        Raises `UserError` where it does not begin, and `KeyboardInterrupt`, with how to end the run, where the watching
        is interrupted and the run goes on.
        """


@dataclass(frozen=True, kw_only=True)
class LaunchingEngine(AnyEngine):
    """Where whole runs run: it hands a run over to Flower, as an app, to be carried out by others.

    Clients of such a run keep their memory to themselves. Its settings hold where the run is carried out, too.
    """

    simulates: ClassVar[bool] = False

    @abstractmethod
    def launch(self, write_app: Callable[[Path], None], directory: Path) -> LaunchedRun:
        """Hands a run over.

        write_app: writes its Flower App into a folder. directory: of the run, to say how to go on with it.
        Raises `UserError` where nobody takes it.
        """
