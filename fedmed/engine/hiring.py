"""How workers come to be: forked where torch allows it, else spawned."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fedmed.client import Trainer
from fedmed.engine.arena import Arena
from fedmed.engine.worker import Kit, Parcel, Slot, Worker
from fedmed.errors import refuse

Slots = tuple[Slot, ...]


class Hiring:
    """Makes workers for one trainer.

    clients: how many nodes there are. threads: of torch in each worker. start: fork, spawn or auto.
    Forking takes no time and copies nothing, but a process that has trained or used several threads cannot.
    """

    def __init__(self, trainer: Trainer, *, clients: int, threads: int, start: str) -> None:
        self._trainer, self._clients, self._threads = trainer, clients, threads
        forks = sys.platform == "linux" and threads == 1
        self._methods = {"auto": ["fork", "spawn"] if forks else ["spawn"]}.get(start, [start])
        self._parcel: Parcel | None = None
        self._broadcasts: tuple[Arena, ...] = ()

    def all(self, slots: Sequence[Slots], broadcasts: tuple[Arena, ...]) -> list[Worker]:
        """A worker for each entry of `slots`, ready; `UserError` where they cannot be started as asked."""
        self._broadcasts = broadcasts
        for method in self._methods:
            workers = [self._worker(own, method) for own in slots]
            if _ready(workers):
                return workers
        fix = "Set engine.start=spawn, or auto."
        raise refuse("engine.start", "a process that has not trained yet, to fork from", self._methods[-1], fix)

    def one(self, slots: Slots) -> Worker:
        """Another worker later on: spawned, since by then the run's process may have threads."""
        worker = self._worker(slots, "spawn")
        worker.ready()
        return worker

    def _worker(self, slots: Slots, method: str) -> Worker:
        if method == "spawn" and self._parcel is None:
            self._parcel = Parcel.of(self._trainer)
        trainer = self._trainer if method == "fork" or self._parcel is None else self._parcel
        return Worker(Kit(trainer, self._clients, self._threads, self._broadcasts, slots), method)


def _ready(workers: Sequence[Worker]) -> bool:
    """Whether all can train; ends them otherwise, also where one died or the wait was broken off."""
    able = False
    try:
        able = False not in [worker.ready() for worker in workers]
    finally:
        if not able:
            for worker in workers:
                worker.stop()
    return able
