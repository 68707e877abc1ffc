"""What runs in a process that has never trained, from which workers can be forked at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flwr.app import Message
from torch import Tensor

from fedmed.engine.pool import PoolGrid
from fedmed.engine.worker import WorkerSetup
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.workers import WorkerProcess
from tests.conformance.cases import Case
from tests.toys import Toy, federate, trainer_of

CROWD = 12
"""Clients of a crowd: far more than two workers have buffers for, so that all are used again within a round."""


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
    factory = WorkerFactory(trainer, clients=len(toy.shares), threads=1, start="fork")
    with PoolGrid(factory, len(toy.shares), workers) as grid:
        return bits(federate(toy, method, grid=grid, **options))


def crowd(toy: Toy) -> Toy:
    """The toy with so many clients; those that hold the same images see them in another order."""
    return replace(toy, shares=toy.shares * (CROWD // len(toy.shares)))


def crowded(case: Case, **options: Any) -> Bits:
    """The case with a crowd on two workers, of which one is killed in every round; others are forked in its place."""
    toy, method = crowd(case.toy), case.method
    factory = _Forks(trainer_of(toy, method, seed=options.get("seed", 0)), clients=CROWD, threads=1, start="fork")
    with _Killed(factory, CROWD, 2) as grid:
        return bits(federate(toy, method, grid=grid, **options))  # type: ignore[arg-type]


class _Forks(WorkerFactory):
    """Forks replacements too, which is safe (and quick) in a process that has nothing but a pool."""

    def replacement(self, setup: WorkerSetup) -> WorkerProcess:
        process = self._start(setup, "fork")
        process.receive()
        return process


class _Killed(PoolGrid):
    """A pool that loses a worker after the third answer of every stream."""

    def stream(self, messages: Iterable[Message]) -> Iterator[Message]:
        for place, reply in enumerate(super().stream(messages)):
            yield reply
            if place == 2:
                self._scheduler._supervisor.workers[0].process.kill()


def bits(ended: Any) -> Bits:
    """The same of a federation on any engine."""
    server = {"state": ended.progress.state, "inbox": ended.progress.inbox}
    return Bits(ended.shared, server, [ended.memory(node - 1) for node in ended.grid.get_node_ids()], ended.losses)
