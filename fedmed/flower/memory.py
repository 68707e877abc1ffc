"""Clients' memory, read for a checkpoint and written back on resume, wherever the clients run.

A grid in this process hands the memory over. Flower's simulation keeps it in node states of its own, so there the app
of a simulation is asked for it; the app of a real site has no such answers, since memory never leaves a site.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from fedmed.flower.grid import LocalGrid
from fedmed.flower.nodes import checked, roster
from fedmed.flower.records import load_memory, save_memory


def hand_over_memory(app: ClientApp) -> ClientApp:
    """Lets the app of a simulation answer query.memory, and query.restore by keeping what it is sent."""

    @app.query("memory")
    def memory(message: Message, context: Context) -> Message:
        return Message(context.state.copy(), reply_to=message)

    @app.query("restore")
    def restore(message: Message, context: Context) -> Message:
        context.state = message.content.copy()
        return Message(RecordDict(), reply_to=message)

    return app


def read_memory(grid: Grid, clients: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The memory of the clients that have one."""
    if isinstance(grid, LocalGrid):
        states = {client: grid.memory(client) for client in clients}
    else:
        states = _ask(grid, "memory", {client: RecordDict() for client in clients})
    return {client: load_memory(state) for client, state in states.items() if state}


def write_memory(grid: Grid, memories: Mapping[int, dict[str, Any]]) -> None:
    """Gives clients the memory that they had when it was read."""
    if isinstance(grid, LocalGrid):
        for client, memory in memories.items():
            save_memory(memory, grid.memory(client))
        return
    states = {client: RecordDict() for client in memories}
    for client, memory in memories.items():
        save_memory(memory, states[client])
    _ask(grid, "restore", states)


def _ask(grid: Grid, action: str, contents: Mapping[int, RecordDict]) -> dict[int, RecordDict]:
    if not contents:
        return {}
    nodes = roster(grid)
    queries = [Message(content, nodes[client], f"query.{action}") for client, content in contents.items()]
    answers = {reply.metadata.src_node_id: reply.content for reply in checked(*grid.send_and_receive(queries))}
    return {client: answers[nodes[client]] for client in contents}
