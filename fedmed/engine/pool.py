"""A pool of worker processes: clients train side by side on all cores or GPUs, with the bits of one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from flwr.app import Message

from fedmed.client import Trainer
from fedmed.devices import spread
from fedmed.engine.base import Engine
from fedmed.engine.local import NodeGrid, error_reply
from fedmed.engine.scheduler import ClientScheduler
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.errors import refuse
from fedmed.flower import ClientFailure, LocalGrid
from fedmed.flower.records import owned
from fedmed.workers.cores import workers_for


@dataclass(frozen=True, kw_only=True)
class PoolEngine(Engine):
    """Worker processes that train clients side by side on all cores or GPUs, with the same bits as inprocess.

    workers: how many processes (null: on the processor as many as there are cores, divided by torch_threads; on
       GPUs workers_per_gpu for each), spread over the GPUs in turn.
    workers_per_gpu: how many processes share a GPU (at least 1; more keep it busier and take more of its memory).
    start: how they begin: fork (at once; Linux), spawn (seconds; anywhere), or auto: fork where torch allows it.
    """

    cuts_off: ClassVar[bool] = True

    workers: Annotated[int, Ge(1)] | None = None
    workers_per_gpu: Annotated[int, Ge(1)] = 2
    start: Literal["auto", "fork", "spawn"] = "auto"

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        if sys.platform == "win32":
            raise refuse("engine", "Linux or macOS for worker processes", "Windows", "Use engine=inprocess.")
        threads, device = torch.get_num_threads(), trainer.device
        most = workers_for(threads) if device.type == "cpu" else len(spread(device)) * self.workers_per_gpu
        workers = self.workers or most
        factory = WorkerFactory(trainer, clients=clients, threads=threads, start=self.start)
        return PoolGrid(factory, clients, min(workers, clients))


class PoolGrid(NodeGrid):
    """Nodes whose messages worker processes answer; the contexts stay here, and states travel with the messages."""

    def __init__(self, factory: WorkerFactory, clients: int, workers: int) -> None:
        super().__init__(clients)
        self._scheduler = ClientScheduler(factory, workers, self.contexts)

    def close(self) -> None:
        self._scheduler.close()

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        for completed in self._scheduler.replies(messages, self.client_timeout):
            if completed.error is not None:
                yield ClientFailure(completed.message, completed.error)
            else:
                yield Message(completed.content, reply_to=completed.message)

    def answers(self, messages: Sequence[Message]) -> list[Message]:
        return [
            error_reply(completed.message, completed.error)
            if completed.error is not None
            else Message(owned(completed.content), reply_to=completed.message)
            for completed in self._scheduler.replies(messages)
        ]
