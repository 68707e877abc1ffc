"""What our strategy asks of a grid in this process, beyond Flower's own contract."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid


class LocalGrid(Grid):
    """A grid whose clients run on this machine."""

    @abstractmethod
    def stream(self, messages: Iterable[Message]) -> Iterator[Message]:
        """Replies one by one, in the order of the messages.

        A reply's tensors may be lent: they are good until the next reply is asked for. Errors of clients propagate.
        """

    @abstractmethod
    def memory(self, client: int) -> RecordDict:
        """What the client keeps between rounds; assigning to it restores a client."""
