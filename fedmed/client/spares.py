"""Frozen copies of a net with other weights: teachers, anchors, a client's model of an earlier round."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from fedmed.method import Payload
from fedmed.models.net import Net


class Spares:
    """Copies of a net that serve round after round."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self.nets: list[Net] = []
        self._used = 0

    def begin(self) -> None:
        """A new round, in which all copies are free again."""
        self._used = 0

    def take(self, weights: Payload) -> Net:
        """A frozen net in eval mode with all weights as given, by state-dict name."""
        if self._used == len(self.nets):
            self.nets.append(copy.deepcopy(self._net).requires_grad_(False).eval())
        net = self.nets[self._used]
        self._used += 1
        copy_into(net.state_dict(), weights)
        return net


def copy_into(target: Mapping[str, Tensor], source: Payload) -> None:
    """Overwrites those tensors of the target that the source has, wherever they lie."""
    with torch.no_grad():
        for name, tensor in source.items():
            target[name].copy_(tensor)
