"""A round as values, step by step (planned, trained, evaluated, and what it gave), and where a run stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import Any

from torch import Tensor

from fedmed.flower.messages import count_bytes
from fedmed.flower.nodes import ClientNode
from fedmed.method import Payload
from fedmed.metrics import Scores
from fedmed.server import ModelGroup, PrivacySpent

Row = dict[str, float | int]
"""Numbers of one client in one round, by name; `client` is its number."""


@dataclass(slots=True, kw_only=True)
class ServerState:
    """Where a run stands on the server: all that a resumed run needs besides the weights and the clients' memory.

    round: the last that is done. inbox: what clients get next round, by member. state: of the server, by member.
    groups: where models are split, who shares which, with inboxes and memories of their own; empty for one model.
    """

    round: int = 0
    inbox: dict[str, Payload] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    groups: list[ModelGroup] = field(default_factory=list)

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: nested dicts of tensors, numbers and strings."""
        found: dict[str, Any] = {"state": self.state, "inbox": self.inbox}
        if self.groups:
            found["groups"] = {g.label: {"shared": g.shared, "inbox": g.inbox, "state": g.state} for g in self.groups}
        return found

    def model_of(self, client: int, shared: Payload) -> tuple[Payload, Mapping[str, Payload]]:
        """The shared weights and inbox that a client gets next. shared: those of all, where models are not split."""
        for group in self.groups:
            if client in group.clients:
                return group.shared, group.inbox
        return shared, self.inbox

    def restore(self, round: int, kept: Mapping[str, Any]) -> None:
        """Becomes what a checkpoint kept."""
        self.round, self.state, self.inbox = round, kept["state"], kept["inbox"]
        held = {tuple(map(int, label.split("+"))): group for label, group in kept.get("groups", {}).items()}
        self.groups = [ModelGroup(clients=clients, **group) for clients, group in sorted(held.items())]


@dataclass(frozen=True, eq=False)
class SentModel:
    """What a message to clients holds: shared weights, and what members of the chain find in their inboxes.

    number: the lowest client that gets it.
    """

    number: int
    shared: dict[str, Tensor]
    inbox: Mapping[str, Payload]

    @cached_property
    def size(self) -> int:
        """Bytes of the message to one client; counted once, as every client's row and the round ask for it."""
        return count_bytes(self.shared) + sum(map(count_bytes, self.inbox.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRound:
    """A round before anybody has trained.

    round, rounds: its number, from 1, and how many there are.
    shared: the shared weights; where models are split, their plain mean, for the record.
    sent: what each client of the federation gets, the same object for those who share a model. Weights move to the
        device of the first reply, where they are averaged.
    nodes: of all clients of the federation, by client. selected: clients that are sent a message, also those that
        drop out.
    lost: those of them that drop out.
    """

    round: int
    rounds: int
    shared: dict[str, Tensor]
    sent: Mapping[int, SentModel]
    nodes: Mapping[int, ClientNode]
    selected: Sequence[int]
    lost: Sequence[int]

    @property
    def answering(self) -> list[int]:
        """Clients whose replies the server waits for: selected, and not dropped out."""
        return [client for client in self.selected if client not in self.lost]

    @property
    def down(self) -> int:
        """Bytes of all messages."""
        return sum(self.sent[client].size for client in self.selected)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRound:
    """What training gave.

    shared: the new shared weights; the old ones where nobody is in the mean. clients: a row per client in the mean.
    missing: a row per selected client that is not in it, see `RoundResult`. up: bytes of all replies.
    seconds: that the server's step took, without the wait for replies.
    """

    shared: Payload
    clients: list[Row]
    missing: list[Row]
    up: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedRound:
    """What clients' evaluation gave: a row each, in order of client; scores of their images together, by their name."""

    rows: list[Row] = field(default_factory=list)
    pooled: Mapping[str, Scores] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What one round gave.

    shared: the new shared weights. clients: a row per client in the mean. evaluated: a row per client that was
    evaluated; pooled: scores of all their `val` and `audit` images together, where asked for. seconds: by stage.
    down, up: bytes of all training messages. selected: how many clients were selected to train.
    missing: a row per selected client that is not in the mean, with why: `dropout`, `late` or `fault`. simulated:
    seconds of the simulated clock. spent: privacy since the first round.
    """

    round: int
    shared: Payload
    clients: list[Row]
    seconds: dict[str, float]
    down: int
    up: int
    evaluated: list[Row] = field(default_factory=list)
    pooled: Mapping[str, Scores] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    selected: int = 0
    missing: list[Row] = field(default_factory=list)
    simulated: float | None = None
    spent: PrivacySpent | None = None


def mean_loss(rows: Sequence[Row]) -> float:
    """Mean training loss over the images of all clients that trained; NaN where none did."""
    return sum(r["loss"] * r["examples"] for r in rows) / sum(r["examples"] for r in rows) if rows else nan
