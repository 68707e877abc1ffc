"""Answers of clients: all of them good, or an error that names those that failed; and who is who."""

from __future__ import annotations

from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from fedmed.flower.wire import METRICS


class ClientError(RuntimeError):
    """A client answered with an error; the message names all that did, with their reasons."""


def checked(*replies: Message) -> tuple[Message, ...]:
    """The replies; `ClientError` naming every node that failed."""
    if failed := [f"node {m.metadata.src_node_id}: {m.error.reason}" for m in replies if m.has_error()]:
        raise ClientError("\n".join(failed))
    return replies


def roster(grid: Grid) -> dict[int, int]:
    """The node of every client; asked of the nodes themselves, as node ids are random in Flower's runtimes."""
    asked = [Message(RecordDict(), node, "query.roster") for node in sorted(grid.get_node_ids())]
    nodes: dict[int, int] = {}
    for reply in checked(*grid.send_and_receive(asked)):
        metrics: Any = reply.content.metric_records[METRICS]
        nodes[int(metrics["partition-id"])] = reply.metadata.src_node_id
    return nodes
