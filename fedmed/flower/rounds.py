"""What a round gave, and where a run stands on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

from fedmed.method import Payload
from fedmed.metrics import Scores
from fedmed.server import PrivacySpent

Row = dict[str, float | int]


@dataclass(slots=True)
class RoundResult:
    """What one round gave.

    shared: the new shared weights. clients: a row per client in the mean. evaluated: a row per client that was
    evaluated; pooled: scores of all their `val` and `audit` images together, where asked for. seconds: by stage.
    down, up: bytes of all training messages. asked: how many clients were asked to train.
    missing: a row per client that was asked and is not in the mean, with why: `dropout`, `late` or `fault`. simulated:
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
    asked: int = 0
    missing: list[Row] = field(default_factory=list)
    simulated: float | None = None
    spent: PrivacySpent | None = None


@dataclass(slots=True, kw_only=True)
class ServerState:
    """Where a run stands on the server: all that a resumed run needs besides the weights and the clients' memory."""

    round: int = 0
    inbox: dict[str, Payload] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


def mean_loss(rows: Sequence[Row]) -> float:
    """WeightedMean training loss over the images of all clients that trained; NaN where none did."""
    return sum(r["loss"] * r["examples"] for r in rows) / sum(r["examples"] for r in rows) if rows else nan
