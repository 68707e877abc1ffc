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
from fedmed.engine.local import NodeGrid, cores, error_reply
from fedmed.engine.scheduler import ClientScheduler
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.errors import refuse
from fedmed.flower import ClientFailure, LocalGrid
from fedmed.flower.records import owned


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
        most = max(1, cores() // threads) if device.type == "cpu" else len(spread(device)) * self.workers_per_gpu
        workers = self.workers or most
        hiring = WorkerFactory(trainer, clients=clients, threads=threads, start=self.start)
        return PoolGrid(hiring, clients, min(workers, clients))


class PoolGrid(NodeGrid):
    """Nodes whose messages worker processes answer; the contexts stay here, and states travel with the messages."""

    def __init__(self, hiring: WorkerFactory, clients: int, workers: int) -> None:
        super().__init__(clients)
        self._crew = ClientScheduler(hiring, workers, self.contexts)

    def close(self) -> None:
        self._crew.close()

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        for done in self._crew.work(messages, self.client_timeout):
            if done.error is not None:
                yield ClientFailure(done.message, done.error)
            else:
                yield Message(done.content, reply_to=done.message)

    def answers(self, messages: Sequence[Message]) -> list[Message]:
        return [
            error_reply(done.message, done.error)
            if done.error is not None
            else Message(owned(done.content), reply_to=done.message)
            for done in self._crew.work(messages)
        ]
