"""Who holds what in a simulation: clients their shares, and the server its test images, in the batches it scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedmed.data.batches import spans
from fedmed.data.examples import Examples
from fedmed.data.world import Share


@dataclass(frozen=True, slots=True)
class Held:
    """What a number holds: those of clients their share, those after them the server's test images, a batch each."""

    shares: Sequence[Share]
    test: Examples

    def __call__(self, number: int) -> Share:
        if number < len(self.shares):
            return self.shares[number]
        part = self.test[list(spans(self.test))[number - len(self.shares)]]
        return Share(train=part[:0], val=part[:0], test=part)
