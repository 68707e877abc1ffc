"""What our strategy asks of a grid in this process, beyond Flower's own contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Self

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from fedmed.flower.faults import Failed


class LocalGrid(Grid):
    """A grid whose clients run on this machine; as a context manager it closes at the end of the block.

    client_timeout: seconds after which a client is cut off, where clients have processes of their own; None for never.
    """

    client_timeout: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what the grid holds besides memory; it runs no clients afterwards."""

    @abstractmethod
    def stream(self, messages: Iterable[Message]) -> Iterator[Message | Failed]:
        """Replies one by one, in the order of the messages.

        A reply's tensors are lent: they are good until the next reply is asked for, and whoever keeps one copies it
        (tests/lending.py holds a grid that spoils them). A client that raises or is cut off is a `Failed` in its place,
        and keeps the memory that it had.
        """

    @abstractmethod
    def memory(self, client: int) -> RecordDict:
        """What the client keeps between rounds; assigning to it restores a client."""

    @abstractmethod
    def undo(self, client: int) -> None:
        """Gives the client that answered last the memory that it had before."""
