"""Grids: what our strategy asks of one on this machine, beyond Flower's contract; and an exchange on any grid."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Self

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from fedmed.flower.faults import ClientFailure, NoAnswerError


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
    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        """Replies one by one, in the order of the messages.

        A reply's tensors are lent: they are good until the next reply is asked for, and whoever keeps one copies it
        (tests/lending.py holds a grid that spoils them). A client that raises or is cut off is a `ClientFailure` in its
        place, and keeps the memory that it had.
        """

    @abstractmethod
    def memory(self, client: int) -> RecordDict:
        """What the client keeps between rounds; assigning to it restores a client."""

    @abstractmethod
    def undo(self, client: int) -> None:
        """Gives the client that answered last the memory that it had before."""


def exchange(grid: Grid, messages: Iterable[Message], timeout: float) -> Iterator[Message | ClientFailure]:
    """What comes of each message, in order: lent one by one by a local grid, gathered from any other.

    timeout: seconds that answers may take on a grid that is not local.
    """
    if isinstance(grid, LocalGrid):
        yield from grid.stream(messages)
        return
    sent = list(messages)
    replies = {reply.metadata.src_node_id: reply for reply in grid.send_and_receive(sent, timeout=timeout)}
    for message in sent:
        reply = replies.get(message.metadata.dst_node_id)
        if reply is None:
            yield ClientFailure(message, NoAnswerError(f"no answer within {timeout:g} s"))
        else:
            yield reply
