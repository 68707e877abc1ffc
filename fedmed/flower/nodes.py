"""Answers of clients: all of them good, or an error that names those that failed; and who is who."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from fedmed.errors import Fault
from fedmed.flower.faults import ClientError
from fedmed.flower.messages import METRICS


def checked(*replies: Message) -> tuple[Message, ...]:
    """The replies; `ClientError` naming every node that failed."""
    if failed := [(f"node {m.metadata.src_node_id}", str(m.error.reason)) for m in replies if m.has_error()]:
        raise ClientError(*(Fault(where, "an answer", got) for where, got in failed))
    return replies


class ClientNode(NamedTuple):
    """A client as the server knows it: its node and how many training images it has."""

    node: int
    images: int


def roster(grid: Grid) -> dict[int, int]:
    """The node of every client, in order of client number."""
    return {client: member.node for client, member in client_nodes(grid).items()}


def client_nodes(grid: Grid) -> dict[int, ClientNode]:
    """Every client, in order of its number; asked of the nodes, as node ids are random in Flower's runtimes."""
    queries = [Message(RecordDict(), node, "query.roster") for node in sorted(grid.get_node_ids())]
    found: dict[int, ClientNode] = {}
    for reply in checked(*grid.send_and_receive(queries)):
        metrics: Any = reply.content.metric_records[METRICS]
        client, node = int(metrics["partition-id"]), reply.metadata.src_node_id
        if client in found:
            both, fix = f"nodes {found[client].node} and {node}", "Give each node a partition-id of its own."
            raise ClientError(Fault(both, "clients of different numbers", f"client {client} twice", fix))
        found[client] = ClientNode(node, int(metrics["num-examples"]))
    return dict(sorted(found.items()))


def await_nodes(grid: Grid, clients: int, *, within: float, say: Callable[[str], None]) -> None:
    """Waits until `clients` nodes are there, and says how many are; `ClientError` where they are not in time."""
    deadline, announced = time.monotonic() + within, -1
    while (found := len(list(grid.get_node_ids()))) < clients:
        if time.monotonic() > deadline:
            raise ClientError(Fault("engine", f"{clients} nodes within {within:g} s", f"{found}", "Start the others."))
        if found != announced:
            say(f"waiting for SuperNodes: {found} of {clients} are there")
        announced = found
        time.sleep(1)
