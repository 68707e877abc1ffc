"""What our strategy asks of a grid in this process, beyond Flower's own contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Self

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid


class LocalGrid(Grid):
    """A grid whose clients run on this machine; as a context manager it closes at the end of the block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what the grid holds besides memory; it runs no clients afterwards."""

    @abstractmethod
    def stream(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Replies one by one, in the order of the messages.

        A reply's tensors are lent: they are good until the next reply is asked for, and whoever keeps one copies it
        (tests/lending.py holds a grid that spoils them). Errors of clients propagate.
        """

    @abstractmethod
    def memory(self, client: int) -> RecordDict:
        """What the client keeps between rounds; assigning to it restores a client."""
