"""What a method sees of the server: its round, and what clients sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fedmed import rng
from fedmed.errors import UserError, refuse
from fedmed.method.client import Payload, State
from fedmed.models.net import Net


class UnavailableWeights(Mapping[str, Tensor]):
    """Weights that were added up as they came and are not held; looking into them is refused with words."""

    def __getitem__(self, name: str) -> Tensor:
        raise self._refusal()

    def __iter__(self) -> Iterator[str]:
        raise self._refusal()

    def __len__(self) -> int:
        raise self._refusal()

    @staticmethod
    def _refusal() -> UserError:
        expected = "a method that overrides weights, average or split, or has keeps_weights = True"
        got = "one that has none of these"
        fix = "Write keeps_weights: ClassVar[bool] = True in the class: all models of a round are then held at once."
        return refuse("Report.weights", expected, got, fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one client sent.

    examples: training images. loss: mean training loss.
    payload: what the method's `report` returned.
    weights: the client's shared weights after training, held for a method that overrides `weights`, `average` or
        `split`, or has `keeps_weights`; refused to any other, as models are added up as they come.
    """

    client: int
    examples: int
    loss: float
    payload: Payload
    weights: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server's round as a method sees it.

    clients: ids of all clients, sampled or not; where models are split, of those who share this one.
    shared: the shared weights as the round began. parameters: names of those that training steps; the rest are running
        statistics and counters. reports: what came back, in `update`; empty in other hooks, which are given them.
    state: survives rounds and restarts; where models are split, of those who share this one. common: where models are
        split, what `split` keeps in its own, which other hooks may read. nets: makes what `frozen` gives; no part of
        the contract.
    """

    round: int
    rounds: int
    seed: int
    clients: tuple[int, ...]
    shared: Payload
    state: dict[str, State]
    common: Mapping[str, State] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    reports: tuple[Report, ...] = ()
    nets: Callable[[Payload], Net] | None = None
    name: str = ""

    def frozen(self, weights: Payload) -> Net:
        """A net with `weights` (by state-dict name) in place of the shared ones; frozen, in eval mode.

        Raises `UserError` where the strategy was not given the net.
        """
        if self.nets is None:
            fix = "Give the strategy the net: ServerSettings(net=...), a function that makes it."
            raise refuse(f"round {self.round}, server.frozen", "a net on the server", "none", fix)
        return self.nets({**self.shared, **weights})

    @property
    def rng(self) -> torch.Generator:
        """Random numbers of this (run, method, round), from the start at every access."""
        return rng.generator(self.seed, "server", self.name, self.round)

    def member(self, name: str) -> Server:
        """The round as the member of that name in the chain sees it: with a memory and random numbers of its own."""
        return replace(self, name=name, state=self.state.setdefault(name, {}), common=self.common.get(name, {}))
