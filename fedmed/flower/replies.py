"""Answers of clients: all of them good, or an error that names those that failed; and who is who."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

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


class Member(NamedTuple):
    """A client as the server knows it: its node and how many training images it has."""

    node: int
    images: int


def roster(grid: Grid) -> dict[int, int]:
    """The node of every client, in order of client number."""
    return {client: member.node for client, member in members(grid).items()}


def members(grid: Grid) -> dict[int, Member]:
    """Every client, in order of its number; asked of the nodes, as node ids are random in Flower's runtimes."""
    asked = [Message(RecordDict(), node, "query.roster") for node in sorted(grid.get_node_ids())]
    found: dict[int, Member] = {}
    for reply in checked(*grid.send_and_receive(asked)):
        metrics: Any = reply.content.metric_records[METRICS]
        found[int(metrics["partition-id"])] = Member(reply.metadata.src_node_id, int(metrics["num-examples"]))
    return dict(sorted(found.items()))


def await_nodes(grid: Grid, clients: int, *, within: float) -> None:
    """Waits until `clients` nodes are there; raises `ClientError` where they are not in time."""
    deadline = time.monotonic() + within
    while (found := len(list(grid.get_node_ids()))) < clients:
        if time.monotonic() > deadline:
            raise ClientError(f"{found} of {clients} nodes have come within {within:g} s")
        time.sleep(1)
