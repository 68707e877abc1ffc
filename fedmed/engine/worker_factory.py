"""How the pool's worker processes are started: forked where torch allows it, else spawned."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from math import ceil
from multiprocessing import get_context

from fedmed.client import Trainer
from fedmed.devices import spread
from fedmed.engine.shared_memory import SharedMemoryBlock
from fedmed.engine.worker import SharedTrainer, TaskBuffers, WorkerSetup, serve
from fedmed.errors import refuse
from fedmed.workers import WorkerProcess

Started = tuple[WorkerSetup, WorkerProcess]


class WorkerFactory:
    """Starts workers for one trainer.

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
        self._shared_trainer: SharedTrainer | None = None

    def start_all(
        self, buffers: Sequence[tuple[TaskBuffers, ...]], broadcasts: tuple[SharedMemoryBlock, ...]
    ) -> list[Started]:
        """A worker for each entry of `buffers`, ready; `UserError` where they cannot be started as asked."""
        sharers = ceil(len(buffers) / len(self._devices))
        setups = [
            WorkerSetup(self._trainer, self._clients, self._threads, broadcasts, own, device, sharers)
            for own, device in zip(buffers, cycle(self._devices), strict=False)
        ]
        for method in self._methods:
            processes = [self._start(setup, method) for setup in setups]
            if _ready(processes):
                return list(zip(setups, processes, strict=True))
        fix = "Set engine.start=spawn, or auto."
        raise refuse("engine.start", "a process that has not trained yet, to fork from", self._methods[-1], fix)

    def replacement(self, setup: WorkerSetup) -> WorkerProcess:
        """Another process, ready, with the setup of a lost one."""
        # Spawned, not forked: by now this process may have threads, whose locks a fork would copy as they are held.
        process = self._start(setup, "spawn")
        process.receive()
        return process

    def _start(self, setup: WorkerSetup, method: str) -> WorkerProcess:
        if method != "fork":
            self._shared_trainer = self._shared_trainer or SharedTrainer.of(self._trainer)
            setup = replace(setup, trainer=self._shared_trainer)
        return WorkerProcess(get_context(method), serve, setup, daemon=True)


def _ready(processes: Sequence[WorkerProcess]) -> bool:
    """Whether all can train; ends them otherwise, also where one died or the wait was broken off."""
    able = False
    try:
        able = False not in [process.receive() for process in processes]
    finally:
        if not able:
            for process in processes:
                process.leave()
    return able
