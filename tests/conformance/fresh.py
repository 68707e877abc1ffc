"""What runs in a process that has never trained, from which workers can be forked at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fedmed.engine.hiring import Hiring
from fedmed.engine.pool import PoolGrid
from tests.conformance.cases import Case
from tests.toys import federate, trainer_of


@dataclass(frozen=True, slots=True)
class Bits:
    """All that a federation came to."""

    shared: dict[str, Tensor]
    server: dict[str, Any]
    clients: list[dict[str, Any]]
    losses: list[float]


def pooled(case: Case, workers: int, **options: Any) -> Bits:
    """The case on a pool of forked workers."""
    toy, method = case.toy, case.method
    trainer = trainer_of(toy, method, seed=options.get("seed", 0))
    hiring = Hiring(trainer, clients=len(toy.shares), threads=1, start="fork")
    with PoolGrid(hiring, len(toy.shares), workers) as grid:
        return bits(federate(toy, method, grid=grid, **options))


def bits(ended: Any) -> Bits:
    """The same of a federation on any engine."""
    server = {"state": ended.progress.state, "inbox": ended.progress.inbox}
    return Bits(ended.shared, server, [ended.memory(client) for client in range(3)], ended.losses)
