"""A cohort: clients train in lock step, as one batched net; for small nets on a card that one client leaves idle."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from flwr.app import Message

from fedmed.client import ClientRequest, ClientResult, Trainer
from fedmed.client.batched import BatchedTrainer, obstacle
from fedmed.engine.base import Engine
from fedmed.engine.local import InProcessGrid
from fedmed.flower import ClientFailure, LocalGrid, app_of
from fedmed.flower.client_app import train_reply
from fedmed.flower.messages import read_request


@dataclass(frozen=True, kw_only=True)
class CohortEngine(Engine):
    """Clients in lock step as one batched net, in this process; equal to inprocess up to rounding. For GPUs.

    size: how many clients train together (>= 1; 1: one after another).
    """

    size: Annotated[int, Ge(1)] = 16

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        if why := obstacle(trainer):
            warnings.warn(f"engine=cohort: {why}, so clients train one after another", stacklevel=2)
            return InProcessGrid(app_of(trainer), clients)
        return CohortGrid(trainer, clients, self.size)


class CohortGrid(InProcessGrid):
    """Nodes in this process that are trained several at a time; anything but training is answered one by one."""

    def __init__(self, trainer: Trainer, clients: int, size: int) -> None:
        super().__init__(app_of(trainer), clients)
        self._trainer, self._batched, self._size = trainer, BatchedTrainer(trainer), size

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        together: list[Message] = []
        for message in messages:
            if message.metadata.message_type == "train" and self._fits(message, together):
                together.append(message)
                continue
            yield from self._trained(together)
            together = [message] if message.metadata.message_type == "train" else []
            if not together:
                yield from super().stream([message])
        yield from self._trained(together)

    def _fits(self, message: Message, together: Sequence[Message]) -> bool:
        """Whether there is room, and the client is not among them already."""
        node = message.metadata.dst_node_id
        return len(together) < self._size and all(node != other.metadata.dst_node_id for other in together)

    def _trained(self, messages: Sequence[Message]) -> Iterator[Message | ClientFailure]:
        """Replies of clients that train in lock step, or one after another where what one raises ends it for all.

        The time is shared out evenly.
        """
        if not messages:
            return
        began = time.perf_counter()
        requests = [read_request(message, self.contexts[message.metadata.dst_node_id]) for message in messages]
        try:
            results = self._batched.train(requests)
        except Exception:
            # No context has been touched yet, so each can begin anew, and what raises names its own client.
            yield from super().stream(messages)
            return
        seconds = (time.perf_counter() - began) / len(requests)
        for message, request, result in zip(messages, requests, results, strict=True):
            self.contexts.begin(message.metadata.dst_node_id)
            yield self._answered(message, request, result, seconds)
            self.contexts.settle(message.metadata.dst_node_id)

    def _answered(
        self, message: Message, request: ClientRequest, result: Callable[[], ClientResult], seconds: float
    ) -> Message | ClientFailure:
        try:
            context = self.contexts[message.metadata.dst_node_id]
            return train_reply(self._trainer, message, context, request, result(), seconds)
        except Exception as error:
            return ClientFailure(message, error)
