"""How the server runs a method's rounds: whom it asks, what is evaluated, and what is called after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flwr.app import ArrayRecord, MetricRecord

from fedmed.flower.faults import STRICT, FaultRow, FaultTolerance
from fedmed.flower.rounds import RoundResult
from fedmed.metrics import Tally
from fedmed.models.net import Net
from fedmed.server import IDEAL, AverageServerOptimizer, Conditions, ServerOptimizer

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]
"""Scores of a round's new weights on the server; None where there are none."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How the server runs rounds, whatever the method.

    seed: of sampling and of the method's random numbers on the server.
    clients_per_round: how many clients train in a round (None: all).
    conditions: who is selected, who drops out, how long it takes, how the weights come up, what hides a client.
    optimizer: how to step from the old weights to the mean.
    parameters: names of the trainable entries, which the optimizer steps (None: all).
    tolerance: what becomes of a round in which a client is at fault.
    net: gives the net that clients begin with, for methods that ask for `server.frozen` (None: they are refused).
    """

    seed: int = 0
    clients_per_round: int | None = None
    conditions: Conditions = IDEAL
    optimizer: ServerOptimizer = field(default_factory=AverageServerOptimizer)
    parameters: frozenset[str] | None = None
    tolerance: FaultTolerance = STRICT
    net: Callable[[], Net] | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """What is evaluated, and in which rounds.

    due: whether anything is evaluated in the round of a number.
    by_clients: whether clients score the received model in those rounds.
    adapted: whether they also score themselves right after training.
    pooled: makes an empty tally; then clients send the outputs of their validation images, which are scored together.
    """

    due: Callable[[int], bool] = lambda round: True
    by_clients: bool = True
    adapted: bool = False
    pooled: Callable[[], Tally] | None = None


@dataclass(frozen=True, kw_only=True)
class RoundCallbacks:
    """Functions that are called with what a round gave.

    after_round: sees each round's result; True ends the run.
    on_fault: sees a row for each client at fault, when it is found.
    """

    after_round: Callable[[RoundResult], bool] = lambda result: False
    on_fault: Callable[[FaultRow], None] = lambda row: None
