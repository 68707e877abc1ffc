"""What the grids on this machine share: nodes, their contexts, and Flower's pushing and pulling of messages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from flwr.app import Error, Message, Metadata, RecordDict
from flwr.clientapp import ClientApp

from fedmed.engine.contexts import Contexts
from fedmed.flower import ClientFailure, LocalGrid, identify
from fedmed.flower.records import owned

CLIENT_APP_RAISED = 1
"""Flower's error code for an exception in a ClientApp."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What Flower code may read of `Grid.run`."""

    run_id: int = 1


class NodeGrid(LocalGrid):
    """A Flower Grid of nodes 1..N, where node n holds partition n - 1; a subclass says where they run.

    An unmodified Flower ServerApp and Strategy run on it. A context exists only for nodes that were asked.
    """

    def __init__(self, clients: int) -> None:
        identify()
        self._clients = clients
        self.contexts = Contexts(clients)
        self._numbers = count(1)
        self._waiting: dict[str, Message] = {}

    @abstractmethod
    def answers(self, messages: Sequence[Message]) -> list[Message]:
        """Replies that own their tensors, in the order of the messages.

        An exception in the app becomes an error reply, as in Flower, and leaves the node's context as it was.
        """

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
        return self.contexts[client + 1].state

    def undo(self, client: int) -> None:
        self.contexts.undo(client + 1)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Replies in the order of the messages; an exception in the app becomes an error reply, as in Flower."""
        return self.pull_messages(self.push_messages(messages))

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Takes messages in; clients run when their replies are pulled."""
        return [self._accept(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self.answers([self._waiting.pop(number) for number in message_ids if number in self._waiting])

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


def error_reply(message: Message, error: BaseException) -> Message:
    """The reply of a node whose app raised."""
    return Message(Error(CLIENT_APP_RAISED, f"{type(error).__name__}: {error}"), reply_to=message)


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
        # The app lends its net's own weights, on which the next client trains while all replies wait in a list.
        reply.content = owned(reply.content)
        return reply
