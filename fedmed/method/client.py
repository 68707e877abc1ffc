"""What a method sees of a client: its round, a batch. No clean labels, no test data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from fedmed import rng
from fedmed.data.examples import Examples
from fedmed.data.views import Strength
from fedmed.errors import refuse
from fedmed.models.net import Net
from fedmed.tasks import Task

Payload = Mapping[str, Tensor]
"""Named tensors, any number, any shape: all that ever crosses between client and server."""

State = Any
"""A tensor, a number, a string, or a dict of these by name: all that a client's or server's memory may hold."""

Scope = Literal["test", "client", "adapted"]
"""What is evaluated: the global model (test), the received model at a client, the model right after local training."""

T = TypeVar("T")


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
    """One part of a pass over a client's training images: their rows, features and logits, without gradients.

    rows: of the training images, n of them. features: (n, D), or (n, D, H, W) for segmentation. logits: (n, K), or
    (n, K, H, W).
    """

    rows: slice
    features: Tensor
    logits: Tensor


@dataclass(slots=True, kw_only=True)
class RoundContext:
    """The engine's side of a client's round, one for all members of the chain: what changes in it, and what it lends.

    anchor: the shared weights as the round began, by state-dict name. inbox: what the server sent, by member's name.
        All clients are sent the same tensors of both, so that methods are handed copies.
    state: what the client remembers, by member's name; changed in place.
    train: training images with the labels in force. step: optimizer steps done so far.
    frozen_copy: gives a frozen copy of the net, in eval mode, with some weights replaced. sweep: see `Client.sweep`.
    augment: another augmented view (B, C, H, W) of the training images in the given rows (B,).
    own_val: gives `Client.own_val`. steps, annotated: see `Client`; the latter from when it is first asked for.
    """

    anchor: Payload
    train: Examples
    inbox: Mapping[str, Payload]
    state: dict[str, dict[str, State]]
    frozen_copy: Callable[[Payload], Net]
    sweep: Callable[[Net, Tensor | None], Iterator[SweepPart]]
    augment: Callable[[Tensor, torch.Generator, Strength | None], Tensor]
    own_val: Callable[[], Examples]
    steps: int = 0
    step: int = 0
    members: dict[str, Client] = field(default_factory=dict)
    _received: Net | None = None
    _own_anchor: Payload | None = None
    _shared: list[Shared] | None = None
    annotated: Tensor | None = None

    @property
    def own_anchor(self) -> Payload:
        """A copy of the anchor: a method that changes it in place changes nothing for other clients."""
        if self._own_anchor is None:
            self._own_anchor = copied(self.anchor)
        return self._own_anchor

    @property
    def received(self) -> Net:
        """The net as the round began, frozen, made when it is first asked for."""
        if self._received is None:
            self._received = self.frozen_copy(self.anchor)
        return self._received

    def shared(self, net: nn.Module) -> list[Shared]:
        """The net's trainable parameters that are shared, listed once a round."""
        if self._shared is None:
            named, anchor = net.named_parameters(), self.own_anchor
            self._shared = [Shared(n, p, anchor[n]) for n, p in named if n in anchor and p.requires_grad]
        return self._shared


@dataclass(slots=True)
class _Own:
    """What one member of a chain has to itself in a round, made when it is first asked for."""

    kept: dict[type, object] = field(default_factory=dict)
    inbox: Payload | None = None
    rng: torch.Generator | None = None


@dataclass(frozen=True, kw_only=True)
class _ClientRound:
    """What stays the same of a client's round; see `Client`."""

    id: int
    round: int
    rounds: int
    seed: int
    lr: float
    task: Task
    model: Net
    given: Examples
    context: RoundContext
    name: str = ""
    _own: _Own = field(default_factory=_Own, init=False, repr=False)


class Client(_ClientRound):
    """A client's round as a method sees it.

    id: the client's number, from 0. round: the round's number, from 1. rounds: how many the run has.
    seed: of the run. lr: the learning rate of this round.
    task: what the labels mean. model: the net in training.
    given: the client's training images with the labels that it was given.
    state: survives rounds, workers and restarts, and never leaves the client: tensors, numbers, strings, nested dicts.
    context: the engine's side of the round; no part of the contract.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Refuses anything but `client.state |= ...` and the like: what is set elsewhere would be lost, or wrong."""
        if name != "state":
            raise FrozenInstanceError(f"client.{name} cannot be set: memory is client.state, a round's client.keep")
        object.__setattr__(self, name, value)

    def member(self, name: str) -> Client:
        """The round as the member of that name in the chain sees it: its own memory, inbox, kept values and numbers."""
        members = self.context.members
        if name not in members:
            members[name] = replace(self, name=name)
        return members[name]

    @property
    def state(self) -> dict[str, State]:
        """The method's memory at this client."""
        return self.context.state.setdefault(self.name, {})

    @state.setter
    def state(self, memory: dict[str, State]) -> None:
        self.context.state[self.name] = memory

    def keep(self, value: object) -> None:
        """Keeps an object of the method's own for the rest of this round, in place of one of the same class."""
        self._own.kept[type(value)] = value

    def kept(self, cls: type[T]) -> T:
        """The object of that class that the method has kept in this round.

        Raises `UserError` where there is none: `prepare` runs before training, and not before an evaluation.
        """
        value = self._own.kept.get(cls)
        if not isinstance(value, cls):
            known = ", ".join(kind.__name__ for kind in self._own.kept) or "nothing"
            fix = f"Call client.keep({cls.__name__}(...)) in prepare, or in another hook that runs before this one."
            raise refuse(f"client {self.id}, round {self.round}", f"a kept {cls.__name__}", f"{known} kept", fix)
        return value

    @property
    def step(self) -> int:
        """Optimizer steps done so far this round."""
        return self.context.step

    @property
    def steps(self) -> int:
        """Optimizer steps that this round has in all."""
        return self.context.steps

    @property
    def anchor(self) -> Payload:
        """The shared weights as the round began, by state-dict name; detached, read-only."""
        return self.context.own_anchor

    @property
    def inbox(self) -> Payload:
        """What the method's `combine` returned last round; empty in round 1."""
        if self._own.inbox is None:
            self._own.inbox = copied(self.context.inbox.get(self.name, {}))
        return self._own.inbox

    @property
    def shared(self) -> list[Shared]:
        """Every trainable parameter that is shared, beside its value in `anchor`."""
        return self.context.shared(self.model)

    @property
    def train(self) -> Examples:
        """The client's training images with the labels in force: those it was given, unless relabelled this round."""
        return self.context.train

    @property
    def annotated(self) -> Tensor:
        """Which classes the client labels at all (C,) bool: those of which some entry is annotated."""
        if self.context.annotated is None:
            self.context.annotated = annotated_classes(self.given, self.task)
        return self.context.annotated.clone()

    @property
    def own_val(self) -> Examples:
        """Half of the client's validation images, for a method with `needs_val`: never trained on, and not judged by.

        Raises `UserError` for a method without it, as validation images choose the best round.
        """
        return self.context.own_val()

    def relabel(self, y: Tensor, seen: Tensor | None) -> None:
        """Puts other labels in force for this round, shaped as in `Examples`; the given ones stay as they are."""
        self.context.train = Examples(self.given.x, y, seen)

    def sweep(self, net: Net, images: Tensor | None = None) -> Iterator[SweepPart]:
        """A pass over the training images, in order, part by part, in eval mode, without augmentation or gradients.

        images: others instead (N, C, H, W), as stored: `client.own_val.x`, for instance.
        """
        return self.context.sweep(net, images)

    def collect(self, net: Net, images: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features (N, D) and logits (N, K) of all these images; see `sweep`, which holds only a part at a time."""
        parts = list(self.sweep(net, images))
        return torch.cat([p.features for p in parts]), torch.cat([p.logits for p in parts])

    def view(self, batch: Batch, strength: Strength | None = None) -> Tensor:
        """Another view of the batch's images (B, C, H, W), augmented anew as the run's `augment` says.

        strength: weak (mirrored, moved a little) or strong (turned, scaled, brightened, a square cut out), whatever
        the run's says; masks stay where they are, so that views of images for segmentation are not moved.
        Sohn et al.: FixMatch. NeurIPS 2020, arXiv 2001.07685.
        """
        return self.context.augment(batch.index, self.rng, strength)

    @property
    def received(self) -> Net:
        """The model as the round began (with this client's own local part), frozen, in eval mode."""
        return self.context.received

    def frozen(self, weights: Payload) -> Net:
        """The received model with `weights` (by state-dict name) in place of its own; frozen, in eval mode."""
        return self.context.frozen_copy({**self.anchor, **weights})

    @property
    def rng(self) -> torch.Generator:
        """Random numbers of this (run, method, round, client), drawn on the processor whatever the device.

        Batch order and dropout have streams of their own.
        """
        if self._own.rng is None:
            self._own.rng = rng.generator(self.seed, "method", self.name, self.round, self.id)
        return self._own.rng


def annotated_classes(examples: Examples, task: Task) -> Tensor:
    """Which classes are annotated in some of the examples (C,) bool; all where nothing says otherwise."""
    if examples.seen is None or task.kind != "multilabel":
        return torch.ones(task.classes, dtype=torch.bool)
    return examples.seen.expand_as(examples.y).any(0).cpu()


def copied(tensors: Payload) -> dict[str, Tensor]:
    """Tensors of the same values that share no memory with these."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
