"""A cohort: clients train in lock step, as one batched net; for small nets on a card that one client leaves idle."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from flwr.app import Message

from fedmed.client import Job, Outcome, Trainer
from fedmed.client.cohort import Cohort, obstacle
from fedmed.engine.base import Engine
from fedmed.engine.inprocess import InProcessGrid
from fedmed.flower import Failed, LocalGrid, app_of
from fedmed.flower.client_app import Replies
from fedmed.flower.wire import read_job


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
        self._cohort, self._reply, self._size = Cohort(trainer), Replies(trainer), size

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | Failed]:
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

    def _trained(self, messages: Sequence[Message]) -> Iterator[Message | Failed]:
        """Replies of clients that train in lock step, or one after another where what one raises ends it for all.

        The time is shared out evenly.
        """
        if not messages:
            return
        began = time.perf_counter()
        jobs = [read_job(message, self.contexts[message.metadata.dst_node_id]) for message in messages]
        try:
            outcomes = self._cohort.train(jobs)
        except Exception:
            yield from super().stream(messages)
            return
        seconds = (time.perf_counter() - began) / len(jobs)
        for message, job, outcome in zip(messages, jobs, outcomes, strict=True):
            self.contexts.begin(message.metadata.dst_node_id)
            yield self._told(message, job, outcome, seconds)
            self.contexts.settle(message.metadata.dst_node_id)

    def _told(self, message: Message, job: Job, outcome: Callable[[], Outcome], seconds: float) -> Message | Failed:
        try:
            return self._reply(message, self.contexts[message.metadata.dst_node_id], job, outcome(), seconds)
        except Exception as error:
            return Failed(message, error)
