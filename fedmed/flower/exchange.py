"""Sending messages and getting what comes of each, in order of client number, on any grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flwr.app import Message
from flwr.serverapp import Grid

from fedmed.flower.faults import Failed, NoAnswerError
from fedmed.flower.grid import LocalGrid


def exchange(grid: Grid, messages: Iterable[Message], timeout: float) -> Iterator[Message | Failed]:
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
            yield Failed(message, NoAnswerError(f"no answer within {timeout:g} s"))
        else:
            yield reply
