"""How workers come to be: forked where torch allows it, else spawned."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from math import ceil

from fedmed.client import Trainer
from fedmed.devices import spread
from fedmed.engine.shared_memory import SharedMemoryBlock
from fedmed.engine.worker import ClientWorker, SharedTrainer, TaskBuffers, WorkerSetup
from fedmed.errors import refuse

Slots = tuple[TaskBuffers, ...]


class WorkerFactory:
    """Makes workers for one trainer.

    clients: how many nodes there are. threads: of torch in each worker. start: fork, spawn or auto.
    Forking takes no time and copies nothing, but a process that has trained or used several threads cannot.
    """

    def __init__(self, trainer: Trainer, *, clients: int, threads: int, start: str) -> None:
        self._trainer, self._clients, self._threads = trainer, clients, threads
        self._devices = spread(trainer.device)
        if start == "fork" and trainer.device.type != "cpu":
            raise refuse("engine.start", "spawn, or auto, on a GPU, which no forked process can use", start)
        forks = sys.platform == "linux" and threads == 1 and trainer.device.type == "cpu"
        self._methods = {"auto": ["fork", "spawn"] if forks else ["spawn"]}.get(start, [start])
        self._parcel: SharedTrainer | None = None

    def all(self, slots: Sequence[Slots], broadcasts: tuple[SharedMemoryBlock, ...]) -> list[ClientWorker]:
        """A worker for each entry of `slots`, ready; `UserError` where they cannot be started as asked."""
        sharers = ceil(len(slots) / len(self._devices))
        kits = [
            WorkerSetup(self._trainer, self._clients, self._threads, broadcasts, own, device, sharers)
            for own, device in zip(slots, cycle(self._devices), strict=False)
        ]
        for method in self._methods:
            workers = [self._worker(kit, method) for kit in kits]
            if _ready(workers):
                return workers
        fix = "Set engine.start=spawn, or auto."
        raise refuse("engine.start", "a process that has not trained yet, to fork from", self._methods[-1], fix)

    def one(self, lost: ClientWorker) -> ClientWorker:
        """Another worker in place of a lost one: spawned, since by now the run's process may have threads."""
        worker = self._worker(lost.kit, "spawn")
        worker.ready()
        return worker

    def _worker(self, kit: WorkerSetup, method: str) -> ClientWorker:
        if method == "fork":
            return ClientWorker(kit, method)
        self._parcel = self._parcel or SharedTrainer.of(self._trainer)
        return ClientWorker(replace(kit, trainer=self._parcel), method)


def _ready(workers: Sequence[ClientWorker]) -> bool:
    """Whether all can train; ends them otherwise, also where one died or the wait was broken off."""
    able = False
    try:
        able = False not in [worker.ready() for worker in workers]
    finally:
        if not able:
            for worker in workers:
                worker.stop()
    return able
