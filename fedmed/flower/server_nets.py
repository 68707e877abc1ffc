"""Nets for methods that look at one on the server: made when first asked for, and used round after round."""

from __future__ import annotations

from collections.abc import Callable

from fedmed.client.shared_net import FrozenCopies
from fedmed.devices import PROCESSOR
from fedmed.method import Payload
from fedmed.models.net import Net


class ServerNets:
    """Frozen copies of a net. make: gives the net, as the clients begin with it."""

    def __init__(self, make: Callable[[], Net]) -> None:
        self._make = make
        self._copies: FrozenCopies | None = None

    def begin(self) -> None:
        """A new round, in which all copies are free again."""
        if self._copies is not None:
            self._copies.begin()

    def take(self, weights: Payload) -> Net:
        """A frozen net in eval mode with these weights, by state-dict name, on their device."""
        if self._copies is None:
            self._copies = FrozenCopies(self._make())
        net = self._copies.take(weights)
        return net.to(next((tensor.device for tensor in weights.values()), PROCESSOR))
