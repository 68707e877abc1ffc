"""Threads: clients train side by side in this process, each thread on a net of its own; torch lets them, mostly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Annotated

import torch
from annotated_types import Ge
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedmed.client import Trainer
from fedmed.engine.base import Engine
from fedmed.engine.contexts import fresh_context
from fedmed.engine.local import NodeGrid, error_reply
from fedmed.errors import refuse
from fedmed.flower import ClientFailure, LocalGrid, app_of
from fedmed.flower.records import owned
from fedmed.workers.cores import workers_for


@dataclass(frozen=True, kw_only=True)
class ThreadsEngine(Engine):
    """Threads that train clients side by side, with the same bits as inprocess; for nets without dropout.

    workers: how many threads (null: as many as there are cores, divided by torch_threads).
    """

    workers: Annotated[int, Ge(1)] | None = None

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        if trainer.device.type != "cpu":
            fix = "On a GPU threads wait for each other: use engine=pool, with engine.workers_per_gpu, or inprocess."
            raise refuse("engine", "device=cpu for threads", str(trainer.device), fix)
        if trainer.net_draws():
            fix = "All threads draw from torch's one generator: use engine=pool, or set model.dropout=0."
            raise refuse("engine", "a net that draws no random numbers in training for threads", "dropout", fix)
        workers = min(self.workers or workers_for(torch.get_num_threads()), clients)
        return ThreadGrid([app_of(trainer.replica()) for _ in range(workers)], clients)


class ThreadGrid(NodeGrid):
    """Nodes whose messages threads answer, each with one of the apps at a time; contexts stay with this thread."""

    def __init__(self, apps: Sequence[ClientApp], clients: int) -> None:
        super().__init__(clients)
        self._ahead = 2 * len(apps)
        self._free: SimpleQueue[ClientApp] = SimpleQueue()
        for app in apps:
            self._free.put(app)
        # How many threads torch computes with is a setting of each thread that calls it.
        self._threads = ThreadPoolExecutor(
            len(apps), "fedmed", initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
        )

    def close(self) -> None:
        """Waits for the clients that are training, and starts no more."""
        self._threads.shutdown(cancel_futures=True)

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        for message, future in self._answered(messages):
            error = future.exception()
            if isinstance(error, Exception):
                yield ClientFailure(message, error)
            else:
                yield future.result()

    def answers(self, messages: Sequence[Message]) -> list[Message]:
        return [self._reply(message, future) for message, future in self._answered(messages)]

    def _answered(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Future[Message]]]:
        """The messages with their answers, in their order, in which the server adds up.

        A few are asked ahead, as each answer takes memory until its turn; one node's one after another, as each starts
        from the state that the last one left.
        """
        waiting = deque(messages)
        in_flight: deque[tuple[Message, Context, Future[Message]]] = deque()
        while waiting or in_flight:
            busy = {message.metadata.dst_node_id for message, _, _ in in_flight}
            if waiting and len(in_flight) < self._ahead and waiting[0].metadata.dst_node_id not in busy:
                in_flight.append(self._ask(waiting.popleft()))
                continue
            message, context, future = in_flight.popleft()
            if future.exception() is None:
                self.contexts.begin(message.metadata.dst_node_id)
                self.contexts[message.metadata.dst_node_id].state = context.state
            yield message, future
            self.contexts.settle(message.metadata.dst_node_id)

    def _ask(self, message: Message) -> tuple[Message, Context, Future[Message]]:
        node = message.metadata.dst_node_id
        # A context of the thread's own: `self.contexts` is not safe to share, and may put a state on disk meanwhile.
        context = fresh_context(node, self._clients, self.contexts[node].state.copy())
        return message, context, self._threads.submit(self._run, message, context)

    def _run(self, message: Message, context: Context) -> Message:
        app = self._free.get()
        try:
            reply = app(message, context)
            # What the app lends is its net, on which the next client trains as soon as it is free.
            reply.content = owned(reply.content)
            context.state = owned(context.state)
        finally:
            self._free.put(app)
        return reply

    @staticmethod
    def _reply(message: Message, future: Future[Message]) -> Message:
        error = future.exception()
        return future.result() if error is None else error_reply(message, error)
