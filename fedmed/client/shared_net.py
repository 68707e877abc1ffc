"""The net that clients of a trainer take turns with: restored where one left it otherwise; and its frozen copies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmed.data.examples import Examples
from fedmed.errors import DamageError, Fault, refuse
from fedmed.method import Payload
from fedmed.models.net import Net

KINDS = ("_modules", "_parameters", "_buffers")
"""Where a module of torch holds its parts and tensors, by name."""


def draws_in_training(net: nn.Module, x: Tensor) -> bool:
    """Whether a pass of images (B, C, H, W) in training mode draws random numbers; the net stays as it is."""
    net, before = copy.deepcopy(net).cpu().train(), torch.get_rng_state()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        net(x.cpu())
        return not torch.equal(before, torch.get_rng_state())


class _Held(NamedTuple):
    """A tensor of the net: its name, the same memory under another object, and whether it is trained."""

    name: str
    tensor: Tensor
    data: Tensor
    trains: bool


class NetGuard:
    """A net as it was when this was made, of which values may change and nothing else; and a round's images."""

    def __init__(self, net: nn.Module) -> None:
        self._modules = list(net.modules())
        # The dictionaries in which torch looks parts up, beside copies, which an exchange of a part leaves alone.
        self._content = [(vars(m)[kind], dict(vars(m)[kind])) for m in self._modules for kind in KINDS]
        named = [*net.named_parameters(), *net.named_buffers()]
        self._fixed = {name: p for name, p in net.named_parameters() if not p.requires_grad}
        self._unchanging: list[tuple[str, Tensor, int]] = []
        # `detach` shares the memory under an object of its own, which `tensor.data = ...` in a method does not reach.
        self._held = [_Held(name, tensor, tensor.detach(), tensor.requires_grad) for name, tensor in named]

    def changes(self) -> Iterator[str]:
        """What is not as it was, in words: a part that was exchanged, or a tensor of another shape, dtype or memory."""
        for now, before in self._content:
            if list(map(id, now.values())) != list(map(id, before.values())):
                yield f"another part or tensor as {', '.join(sorted({*now, *before}))}"
        for name, tensor, data, _ in self._held:
            if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape or tensor.dtype != data.dtype:
                yield f"{name} of shape {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} elsewhere"

    def check(self, where: str) -> None:
        """Raises `UserError` where the net is not as it was, or images or labels are not. where: client and round."""
        for name, tensor, version in self._unchanging:
            # torch counts writes in place, for a tensor and all its views; to compare values would read every image.
            if tensor._version != version:
                raise DamageError(_frozen_changed(where, name) if name in self._fixed else _given_changed(where, name))
        if change := next(self.changes(), None):
            fix = "Change values in place, under torch.no_grad(); parts and shapes of client.model stay."
            raise refuse(where, "the net that was there before training", change, fix)

    def restore(self) -> None:
        """Puts the parts and tensors back that were there at first; their values stay as they are."""
        for now, before in self._content:
            now.clear()
            now.update(before)
        with torch.no_grad():
            for held in self._held:
                # The memory goes back under the object that optimizer and replies hold.
                held.tensor.data = held.data

    def begin(self, given: Examples) -> None:
        """The net as a round finds it: what is trained is trained, and all of it is in training mode.

        given: the client's images; torch counts changes in place of them, and of parameters that nobody trains.
        """
        held = {"x": given.x, "y": given.y, "seen": given.seen}
        held |= self._fixed
        self._unchanging = [(name, tensor, tensor._version) for name, tensor in held.items() if tensor is not None]
        for _, tensor, _, trains in self._held:
            if tensor.requires_grad != trains:
                tensor.requires_grad_(trains)
        if not all(module.training for module in self._modules):
            self._modules[0].train()


def _given_changed(where: str, name: str) -> Fault:
    fix = "Call client.relabel with new labels, or change a copy."
    return Fault(where, "images and labels as they were given", f"client.train.{name} changed", fix)


def _frozen_changed(where: str, name: str) -> Fault:
    fix = "Leave its requires_grad True in build: what is trained is sent, or stays at the client as `local` says."
    return Fault(where, "parameters that build froze as they were", f"{name} changed", fix)


class FrozenCopies:
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
        # Lent until the next round: a copy per net asked for, as a method may hold several teachers at once.
        net = self.nets[self._used]
        self._used += 1
        copy_into(net.state_dict(), weights)
        return net


def copy_into(target: Mapping[str, Tensor], source: Payload) -> None:
    """Overwrites those tensors of the target that the source has, wherever they lie."""
    with torch.no_grad():  # autograd refuses writes into parameters, and must not record this one
        for name, tensor in source.items():
            target[name].copy_(tensor)
