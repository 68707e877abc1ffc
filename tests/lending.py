"""Grids that take back what they lent: a reply's tensors hold nonsense as soon as the next reply is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flwr.app import Message, RecordDict
from torch import Tensor

from fedmed.engine.local import InProcessGrid
from fedmed.flower.records import owned, unpack


class Lending(InProcessGrid):
    """An in-process grid whose replies' tensors are spoiled once the next reply, or the end, is asked for."""

    def stream(self, messages: Any) -> Iterator[Any]:
        for reply in super().stream(messages):
            lent = Message(owned(reply.content), metadata=reply.metadata)  # type: ignore[call-overload]
            yield lent
            spoil(lent.content)


def spoil(content: RecordDict) -> None:
    """Fills every tensor of the records with nonsense."""
    for record in content.array_records.values():
        for tensor in unpack(record).values():
            tensor.fill_(_nonsense(tensor))


def _nonsense(tensor: Tensor) -> float:
    return float("nan") if tensor.is_floating_point() else 99
