"""What a method sees of the server: its round, and what clients sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fedmed import rng
from fedmed.errors import UserError, refuse
from fedmed.method.client import Payload, State


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
        expected, got = "a method that overrides weights or has keeps_weights = True", "one that has neither"
        fix = "Write keeps_weights: ClassVar[bool] = True in the class: all models of a round are then held at once."
        return refuse("Report.weights", expected, got, fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one client sent.

    examples: training images. loss: mean training loss.
    payload: what the method's `report` returned.
    weights: the client's shared weights after training, held for a method that overrides `weights` or has
        `keeps_weights`; refused to any other, as models are added up as they come.
    """

    client: int
    examples: int
    loss: float
    payload: Payload
    weights: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server's round as a method sees it.

    clients: ids of all clients, sampled or not. shared: the shared weights as the round began.
    state: survives rounds and restarts.
    """

    round: int
    rounds: int
    seed: int
    clients: tuple[int, ...]
    shared: Payload
    state: dict[str, State]
    name: str = ""

    @property
    def rng(self) -> torch.Generator:
        """Random numbers of this (run, method, round), from the start at every access."""
        return rng.generator(self.seed, "server", self.name, self.round)

    def member(self, name: str) -> Server:
        """The round as the member of that name in the chain sees it: with a memory and random numbers of its own."""
        return replace(self, name=name, state=self.state.setdefault(name, {}))
