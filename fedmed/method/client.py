"""What a method sees of a client: its round, a batch. No clean labels, no test data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from fedmed import rng
from fedmed.data.examples import Examples
from fedmed.models.net import Net
from fedmed.tasks import Task

Payload = Mapping[str, Tensor]
"""Named tensors, any number, any shape: all that ever crosses between client and server."""

State = Any
"""A tensor, a number, a string, or a dict of these by name: all that a client's or server's memory may hold."""

Scope = Literal["test", "client", "adapted"]
"""What is evaluated: the global model (test), the received model at a client, the model right after local training."""


class Shared(NamedTuple):
    """A trainable, shared parameter: its state-dict name, the parameter, and its value as the round began."""

    name: str
    weight: nn.Parameter
    anchor: Tensor


@dataclass(slots=True)
class Batch:
    """One batch, with the one forward pass that the engine made.

    x: images as the net takes them (B, C, H, W) float. y, seen: labels, see `Examples`.
    index: rows of the client's training images (B,) int64.
    features: (B, D), or (B, D, H, W) for segmentation. logits: (B, K), or (B, K, H, W).
    cache: for members of a chain that share work on this batch.
    """

    x: Tensor
    y: Tensor
    seen: Tensor | None
    index: Tensor
    features: Tensor
    logits: Tensor
    cache: dict[str, Any] = field(default_factory=dict)


class SweepPart(NamedTuple):
    """One part of a pass over a client's training images: their rows, features and logits, without gradients."""

    rows: slice
    features: Tensor
    logits: Tensor


@dataclass(slots=True, kw_only=True)
class RoundContext:
    """One client's round as the engine keeps it; the members of a chain see it through `Client`.

    anchor, inbox: the shared weights as the round began, and what members find from the server, by member's name; all
        clients are sent the same tensors, so that methods get copies.
    train: with the labels in force; given: with those the client was given. state: by member's name.
    spare: gives a frozen copy of the net, in eval mode, with some weights replaced. sweep: see `Client.sweep`.
    augment: another augmented view (B, C, H, W) of the training images in the given rows.
    """

    id: int
    round: int
    rounds: int
    seed: int
    task: Task
    model: Net
    anchor: Payload
    train: Examples
    given: Examples
    inbox: Mapping[str, Payload]
    state: dict[str, dict[str, State]]
    spare: Callable[[Payload], Net]
    sweep: Callable[[Net], Iterator[SweepPart]]
    augment: Callable[[Tensor, torch.Generator], Tensor]
    step: int = 0
    lr: float = 0.0
    _received: Net | None = None
    _shared: list[Shared] | None = None
    _own_anchor: Payload | None = None
    _clients: dict[str, Client] = field(default_factory=dict)

    def client(self, member: str) -> Client:
        """The round as one member of the chain sees it, with a memory, an inbox and random numbers of its own."""
        if member not in self._clients:
            self._clients[member] = Client(self, member)
        return self._clients[member]

    @property
    def own_anchor(self) -> Payload:
        """A copy of the anchor: a method that changes it in place changes nothing for other clients."""
        if self._own_anchor is None:
            self._own_anchor = copied(self.anchor)
        return self._own_anchor

    @property
    def received(self) -> Net:
        if self._received is None:
            self._received = self.spare(self.anchor)
        return self._received

    @property
    def shared(self) -> list[Shared]:
        if self._shared is None:
            named, anchor = self.model.named_parameters(), self.own_anchor
            self._shared = [Shared(n, p, anchor[n]) for n, p in named if n in anchor and p.requires_grad]
        return self._shared


class Client:
    """A client's round as a method sees it.

    state: survives rounds, workers and restarts, and never leaves the client: tensors, numbers, strings, nested dicts.
    scratch: for this round only.
    """

    __slots__ = ("_context", "_inbox", "_rng", "name", "scratch", "state")

    def __init__(self, context: RoundContext, name: str) -> None:
        self._context = context
        self.name = name
        self.state: dict[str, State] = context.state.setdefault(name, {})
        self._inbox: Payload | None = None
        self.scratch: dict[str, Any] = {}
        self._rng: torch.Generator | None = None

    @property
    def id(self) -> int:
        """The client's number, from 0."""
        return self._context.id

    @property
    def round(self) -> int:
        """The round's number, from 1."""
        return self._context.round

    @property
    def rounds(self) -> int:
        """How many rounds the run has."""
        return self._context.rounds

    @property
    def step(self) -> int:
        """Optimizer steps done so far this round."""
        return self._context.step

    @property
    def lr(self) -> float:
        """The learning rate of this round."""
        return self._context.lr

    @property
    def task(self) -> Task:
        """What the labels mean."""
        return self._context.task

    @property
    def model(self) -> Net:
        """The net in training."""
        return self._context.model

    @property
    def anchor(self) -> Payload:
        """The shared weights as the round began, by state-dict name; detached, read-only."""
        return self._context.own_anchor

    @property
    def inbox(self) -> Payload:
        """What the method's `combine` returned last round; empty in round 1."""
        if self._inbox is None:
            self._inbox = copied(self._context.inbox.get(self.name, {}))
        return self._inbox

    @property
    def shared(self) -> list[Shared]:
        """Every trainable parameter that is shared, beside its value in `anchor`."""
        return self._context.shared

    @property
    def train(self) -> Examples:
        """The client's training images with the labels in force: those it was given, unless relabelled this round."""
        return self._context.train

    @property
    def given(self) -> Examples:
        """The client's training images with the labels it was given."""
        return self._context.given

    def relabel(self, y: Tensor, seen: Tensor | None) -> None:
        """Puts other labels in force for this round, shaped as in `Examples`; the given ones stay as they are."""
        self._context.train = Examples(self.given.x, y, seen)

    def sweep(self, net: Net) -> Iterator[SweepPart]:
        """A pass over the training images, in order, part by part, in eval mode, without augmentation or gradients."""
        return self._context.sweep(net)

    def collect(self, net: Net) -> tuple[Tensor, Tensor]:
        """Features (N, D) and logits (N, K) of all training images; see `sweep`, which holds only a part at a time."""
        parts = list(self.sweep(net))
        return torch.cat([p.features for p in parts]), torch.cat([p.logits for p in parts])

    def view(self, batch: Batch) -> Tensor:
        """Another view of the batch's images (B, C, H, W), augmented anew as the run's `augment` says."""
        return self._context.augment(batch.index, self.rng)

    @property
    def received(self) -> Net:
        """The model as the round began (with this client's own local part), frozen, in eval mode."""
        return self._context.received

    def frozen(self, weights: Payload) -> Net:
        """The received model with `weights` (by state-dict name) in place of its own; frozen, in eval mode."""
        return self._context.spare({**self.anchor, **weights})

    @property
    def rng(self) -> torch.Generator:
        """Random numbers of this (run, method, round, client), drawn on the processor whatever the device.

        Batch order and dropout have streams of their own.
        """
        if self._rng is None:
            s = self._context
            self._rng = rng.generator(s.seed, "method", self.name, s.round, s.id)
        return self._rng


def copied(tensors: Payload) -> dict[str, Tensor]:
    """Tensors of the same values that share no memory with these."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
