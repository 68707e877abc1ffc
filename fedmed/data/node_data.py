"""What each node of a simulation holds: clients their shares, and the nodes after them the server's test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.world import Share


@dataclass(frozen=True, slots=True)
class NodeData:
    """Node number -> data: the first nodes are the clients, with their share; those after them have test batches."""

    shares: Sequence[Share]
    test: Examples

    def __call__(self, number: int) -> Share:
        if number < len(self.shares):
            return self.shares[number]
        part = self.test[list(evaluation_slices(self.test))[number - len(self.shares)]]
        return Share(train=part[:0], val=part[:0], test=part)
