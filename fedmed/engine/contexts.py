"""The contexts of nodes, in memory as long as they fit; beyond a budget those used least recently wait on disk."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord, RecordDict

from fedmed.flower.records import pack, tensor_bytes, unpack

BUDGET = 1 << 31
"""Bytes of tensors in clients' states that stay in memory."""

KINDS = {kind.__name__: kind for kind in (MetricRecord, ConfigRecord)}


class Contexts:
    """A context per node that was ever asked. budget: bytes of tensors in their states that stay in memory."""

    def __init__(self, nodes: int, budget: int = BUDGET) -> None:
        self._nodes, self._budget = nodes, budget
        self._held: OrderedDict[int, Context] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self._total = 0
        self._last: int | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._away: set[int] = set()
        self._before: dict[int, RecordDict] = {}

    def begin(self, node: int) -> None:
        """Remembers the state of a node that is about to be asked, until `settle` or `undo`."""
        self._before[node] = self[node].state.copy()

    def settle(self, node: int) -> None:
        """Keeps the node's new state: what `begin` remembered is dropped."""
        self._before.pop(node, None)

    def undo(self, node: int) -> None:
        """The node's state becomes what it was at `begin`."""
        if (before := self._before.pop(node, None)) is not None:
            self[node].state = before

    def name(self, node: int) -> str:
        """Whose a node is, in words: a client's, or one of those after them (`fedmed.flower.server_evaluation`)."""
        return f"client {node - 1}" if node <= self._nodes else "the server's test images"

    def __getitem__(self, node: int) -> Context:
        """The context of a node, new where it was never asked; its state may be changed until another is asked for.

        That is when its size is measured, since nothing else says that a state has grown.
        """
        if node != self._last:
            self._measure()
            self._last = node
            if node not in self._held:
                self._held[node] = fresh_context(node, self._nodes, self._fetched(node))
            self._held.move_to_end(node)
            self._spill()
        return self._held[node]

    def __contains__(self, node: int) -> bool:
        return node in self._held or node in self._away

    def _measure(self) -> None:
        """Takes note of how large the last one's state has become."""
        if self._last is not None:
            size = tensor_bytes(self._held[self._last].state)
            self._total += size - self._sizes.get(self._last, 0)
            self._sizes[self._last] = size

    def _spill(self) -> None:
        while self._total > self._budget and len(self._held) > 1:
            node, context = self._held.popitem(last=False)
            self._total -= self._sizes.pop(node, 0)
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="fedmed-states-")
            torch.save(_plain(context.state), Path(self._folder.name, f"{node}.pt"))
            self._away.add(node)

    def _fetched(self, node: int) -> RecordDict:
        """The state of a node that is not in memory."""
        if self._folder is None or node not in self._away:
            return RecordDict()
        self._away.remove(node)
        return _records(torch.load(Path(self._folder.name, f"{node}.pt"), weights_only=True))


def fresh_context(node: int, nodes: int, state: RecordDict) -> Context:
    """The context of one of `nodes` nodes, as Flower's own runtimes make it."""
    config: dict[str, Any] = {"partition-id": node - 1, "num-partitions": nodes}
    return Context(1, node, config, state, {})


def _plain(state: RecordDict) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        name: ("tensors", {n: t.detach().cpu().clone() for n, t in unpack(record).items()})
        if isinstance(record, ArrayRecord)
        else (type(record).__name__, dict(record))
        for name, record in state.items()
    }


def _records(plain: dict[str, tuple[str, dict[str, Any]]]) -> RecordDict:
    state = RecordDict()
    for name, (kind, held) in plain.items():
        state[name] = pack(held) if kind == "tensors" else KINDS[kind](held)
    return state
