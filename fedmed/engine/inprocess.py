"""In process: clients run one after another in this process, with no Ray, no sockets and no serialisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from flwr.app import Context, Error, Message, Metadata, RecordDict
from flwr.clientapp import ClientApp

from fedmed.engine.base import Engine
from fedmed.flower import LocalGrid, identify
from fedmed.flower.records import owned

CLIENT_APP_RAISED = 1
"""Flower's error code for an exception in a ClientApp."""


@dataclass(frozen=True, kw_only=True)
class InprocessEngine(Engine):
    """One client after another in this process: the plainest engine, and the one to debug in."""

    def grid(self, app: ClientApp, clients: int) -> LocalGrid:
        return InProcessGrid(app, clients)


@dataclass(frozen=True, slots=True)
class _Run:
    """What Flower code may read of `Grid.run`."""

    run_id: int = 1


class InProcessGrid(LocalGrid):
    """A Flower Grid whose nodes 1..N run a ClientApp in this process; node n holds partition n - 1.

    An unmodified Flower ServerApp and Strategy run on it. A context exists only for nodes that were asked.
    """

    def __init__(self, app: ClientApp, clients: int) -> None:
        identify()
        self._app, self._clients = app, clients
        self._contexts: dict[int, Context] = {}
        self._numbers = count(1)
        self._waiting: dict[str, Message] = {}

    @property
    def run(self) -> Any:
        return _Run()

    def set_run(self, run: Any) -> None:
        """Nothing to set: this grid has one run."""

    def get_node_ids(self) -> Iterable[int]:
        return range(1, self._clients + 1)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def memory(self, client: int) -> RecordDict:
        return self._context(client + 1).state

    def stream(self, messages: Iterable[Message]) -> Iterator[Message]:
        return (self._app(message, self._context(message.metadata.dst_node_id)) for message in messages)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Replies in the order of the messages; an exception in the app becomes an error reply, as in Flower."""
        return self.pull_messages(self.push_messages(messages))

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Takes messages in; clients run when their replies are pulled."""
        return [self._accept(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._answer(self._waiting.pop(number)) for number in message_ids if number in self._waiting]

    def _context(self, node: int) -> Context:
        if node not in self._contexts:
            config: dict[str, Any] = {"partition-id": node - 1, "num-partitions": self._clients}
            self._contexts[node] = Context(1, node, config, RecordDict(), {})
        return self._contexts[node]

    def _accept(self, message: Message) -> str:
        number, old = str(next(self._numbers)), message.metadata
        metadata = Metadata(
            run_id=old.run_id,
            message_id=number,
            src_node_id=old.src_node_id,
            dst_node_id=old.dst_node_id,
            reply_to_message_id=old.reply_to_message_id,
            group_id=old.group_id,
            created_at=old.created_at,
            ttl=old.ttl,
            message_type=old.message_type,
        )
        self._waiting[number] = Message(message.content, metadata=metadata)  # type: ignore[call-overload]
        return number

    def _answer(self, message: Message) -> Message:
        context = self._context(message.metadata.dst_node_id)
        before = context.state.copy()
        try:
            reply = self._app(message, context)
        except Exception as error:
            context.state = before
            return Message(Error(CLIENT_APP_RAISED, f"{type(error).__name__}: {error}"), reply_to=message)
        reply.content = owned(reply.content)
        return reply
