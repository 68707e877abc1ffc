"""What a trainer's net is made of, to be put back where a client left it otherwise: no client finds another's net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmed.errors import refuse

KINDS = ("_modules", "_parameters", "_buffers")
"""Where a module of torch holds its parts and tensors, by name."""


class _Held(NamedTuple):
    """A tensor of the net: its name, the same memory under another object, and whether it is trained."""

    name: str
    tensor: Tensor
    data: Tensor
    trains: bool


class Resident:
    """A net as it was when this was made; values may change, and nothing else."""

    def __init__(self, net: nn.Module) -> None:
        self._modules = list(net.modules())
        self._content = [(vars(m)[kind], dict(vars(m)[kind])) for m in self._modules for kind in KINDS]
        named = [*net.named_parameters(), *net.named_buffers()]
        self._held = [_Held(name, tensor, tensor.detach(), tensor.requires_grad) for name, tensor in named]

    def changes(self) -> Iterator[str]:
        """What is not as it was."""
        for now, before in self._content:
            if list(map(id, now.values())) != list(map(id, before.values())):
                yield f"another part or tensor as {', '.join(sorted({*now, *before}))}"
        for name, tensor, data, _ in self._held:
            if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape or tensor.dtype != data.dtype:
                yield f"{name} of shape {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} elsewhere"

    def check(self, where: str) -> None:
        """Raises `UserError` where the net is not as it was. where: client and round."""
        if change := next(self.changes(), None):
            fix = "Change values in place, under torch.no_grad(); parts and shapes of client.model stay."
            raise refuse(where, "the net that was there before training", change, fix)

    def restore(self) -> None:
        """Puts parts and tensors back."""
        for now, before in self._content:
            now.clear()
            now.update(before)
        with torch.no_grad():
            for held in self._held:
                held.tensor.data = held.data

    def begin(self) -> None:
        """The net as a round finds it: what is trained is trained, and all of it is in training mode."""
        for _, tensor, _, trains in self._held:
            if tensor.requires_grad != trains:
                tensor.requires_grad_(trains)
        if not all(module.training for module in self._modules):
            self._modules[0].train()
