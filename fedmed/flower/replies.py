"""Answers of clients: all of them good, or an error that names those that failed; and who is who."""

from __future__ import annotations

import time
from collections.abc import Callable
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
        client, node = int(metrics["partition-id"]), reply.metadata.src_node_id
        if client in found:
            both = f"nodes {found[client].node} and {node} both say that they are client {client}"
            raise ClientError(f"{both}: give each node a partition-id of its own")
        found[client] = Member(node, int(metrics["num-examples"]))
    return dict(sorted(found.items()))


def await_nodes(grid: Grid, clients: int, *, within: float, say: Callable[[str], None]) -> None:
    """Waits until `clients` nodes are there, and says how many are; `ClientError` where they are not in time."""
    deadline, told = time.monotonic() + within, -1
    while (found := len(list(grid.get_node_ids()))) < clients:
        if time.monotonic() > deadline:
            raise ClientError(f"{found} of {clients} nodes have come within {within:g} s")
        if found != told:
            say(f"waiting for SuperNodes: {found} of {clients} are there")
        told = found
        time.sleep(1)
