"""In process: clients run one after another in this process, with no Ray, no sockets and no serialisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flwr.app import Message
from flwr.clientapp import ClientApp

from fedmed.client import Trainer
from fedmed.engine.base import Engine
from fedmed.engine.local import NodeGrid, error_reply
from fedmed.flower import ClientFailure, LocalGrid, app_of
from fedmed.flower.records import owned


@dataclass(frozen=True, kw_only=True)
class InprocessEngine(Engine):
    """One client after another in this process: the plainest engine, and the one to debug in."""

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        return InProcessGrid(app_of(trainer), clients)


class InProcessGrid(NodeGrid):
    """Nodes that run a ClientApp in this process."""

    def __init__(self, app: ClientApp, clients: int) -> None:
        super().__init__(clients)
        self._app = app

    def stream(self, messages: Iterable[Message]) -> Iterator[Message | ClientFailure]:
        for message in messages:
            node = message.metadata.dst_node_id
            self.contexts.begin(node)
            yield self._lent(message)
            self.contexts.settle(node)

    def _lent(self, message: Message) -> Message | ClientFailure:
        node = message.metadata.dst_node_id
        try:
            return self._app(message, self.contexts[node])
        except Exception as error:
            self.contexts.undo(node)
            return ClientFailure(message, error)

    def answers(self, messages: Sequence[Message]) -> list[Message]:
        return [self._answer(message) for message in messages]

    def _answer(self, message: Message) -> Message:
        self.contexts.begin(message.metadata.dst_node_id)
        reply = self._lent(message)
        self.contexts.settle(message.metadata.dst_node_id)
        if isinstance(reply, ClientFailure):
            return error_reply(*reply)
        reply.content = owned(reply.content)
        return reply
