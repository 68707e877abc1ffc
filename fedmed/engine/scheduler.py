"""A crew of workers: hands messages out in order, gives answers back in order, replaces a worker that dies.

A client's round is a function of its message and its state alone, so one whose worker died is simply run again, and
who ran what changes no bit.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, RecordDict

from fedmed.engine.contexts import Contexts
from fedmed.engine.shared_memory import RecordLayout, SharedMemoryBlock
from fedmed.engine.worker import ClientTask, ClientWorker, TaskBuffers, WorkerReply, answered
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.errors import refuse
from fedmed.flower.faults import NoAnswerError
from fedmed.flower.records import owned, tensor_bytes

DEPTH = 2
"""Tasks in flight per worker, so that it finds the next one when it is done with one."""

DEATHS = 2
"""How many workers may die of the same client before the run stops."""

AHEAD = 1 << 28
"""Bytes of answers that wait here, out of the workers' way, while a client before them in the order still trains."""


@dataclass(slots=True)
class Completed:
    """A message and its answer, or what its app raised. The content is good until the next answer is asked for."""

    message: Message
    content: RecordDict
    error: Exception | None = None
    release: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Broadcast:
    """Shared memory for what many messages carry. number: of times it was written; flying: tasks that read it."""

    arena: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    held: RecordDict | None = None
    number: int = 0
    blueprint: RecordLayout = ()
    flying: int = 0

    def hold(self, content: RecordDict) -> None:
        """Writes the content over the last."""
        self.held, self.number, self.blueprint = content, self.number + 1, self.arena.write(content)


@dataclass(slots=True)
class _Asked:
    """A message on its way. place: in the order of messages; deaths: of workers that ran it."""

    place: int
    message: Message
    deaths: int = 0

    @property
    def node(self) -> int:
        return self.message.metadata.dst_node_id


@dataclass(slots=True)
class _Desk:
    """A worker and its slots. free: those with room; flying: what the worker was asked, by slot, in order.

    since: when it began with the first of these.
    """

    worker: ClientWorker
    slots: tuple[TaskBuffers, ...]
    free: list[int] = field(default_factory=lambda: list(range(DEPTH)))
    flying: dict[int, tuple[_Asked, _Broadcast]] = field(default_factory=dict)
    since: float = 0.0


class ClientScheduler:
    """Workers that answer messages; the messages to one node run one after another.

    contexts: a node's state is sent along, and becomes what the worker sends back.
    A client that is the death of its workers, or runs too long, is an error in the place of its answer.
    """

    def __init__(self, hiring: WorkerFactory, workers: int, contexts: Contexts) -> None:
        self._hiring, self._contexts = hiring, contexts
        self._broadcasts = [_Broadcast(), _Broadcast()]
        self._waiting: deque[_Asked] = deque()
        self._early: dict[int, Completed] = {}
        self._ahead = 0
        self._limit: float | None = None
        self._warned: dict[Any, Any] = {}
        slots = [tuple(TaskBuffers() for _ in range(DEPTH)) for _ in range(workers)]
        arenas = tuple(broadcast.arena for broadcast in self._broadcasts)
        self._desks = [_Desk(w, s) for w, s in zip(hiring.all(slots, arenas), slots, strict=True)]

    def close(self) -> None:
        """Ends all workers, in the middle of a client if need be."""
        for desk in self._desks:
            desk.worker.send(None)
        for desk in self._desks:
            desk.worker.stop()
        self._desks = []

    def work(self, messages: Iterable[Message], limit: float | None = None) -> Iterator[Completed]:
        """The answers, in the order of the messages; a stream that is not read to its end runs to its end unseen.

        limit: seconds that a client may run before it is cut off; None for any.
        """
        self._settle()
        self._limit = limit
        self._waiting = deque(_Asked(place, message) for place, message in enumerate(messages))
        for place in range(len(self._waiting)):
            self._hand_out()
            while place not in self._early:
                self._collect(place)
                self._hand_out()
            done = self._early.pop(place)
            yield done
            self._contexts.settle(done.message.metadata.dst_node_id)
            done.release()

    def _settle(self) -> None:
        """Waits for what is still in flight, and forgets what was broadcast: it may have changed since."""
        self._waiting.clear()
        while any(desk.flying for desk in self._desks):
            self._collect(-1)
        for done in self._early.values():
            done.release()
        self._early.clear()
        for broadcast in self._broadcasts:
            broadcast.held = None

    def _hand_out(self) -> None:
        """Sends out what there is room for, to whoever has the least to do."""
        while self._waiting:
            asked, desks = self._waiting[0], [desk for desk in self._desks if desk.free]
            broadcast = self._broadcast(asked.message.content)
            if not desks or broadcast is None or self._busy(asked.node):
                return
            self._waiting.popleft()
            self._send(asked, min(desks, key=lambda desk: len(desk.flying)), broadcast)

    def _send(self, asked: _Asked, desk: _Desk, broadcast: _Broadcast) -> None:
        number = desk.free.pop()
        desk.since = desk.since if desk.flying else time.monotonic()
        desk.flying[number] = asked, broadcast
        broadcast.flying += 1
        self._contexts.begin(asked.node)
        state = desk.slots[number].state.write(self._contexts[asked.node].state)
        content = (self._broadcasts.index(broadcast), broadcast.number, broadcast.blueprint)
        desk.worker.send(ClientTask(number, asked.message.metadata, content, state))

    def _broadcast(self, content: RecordDict) -> _Broadcast | None:
        """Where the content lies, written if it is new; None while all room for contents is in use."""
        for broadcast in self._broadcasts:
            if broadcast.held is content:
                return broadcast
        for broadcast in self._broadcasts:
            if not broadcast.flying:
                broadcast.hold(content)
                return broadcast
        return None

    def _busy(self, node: int) -> bool:
        return any(asked.node == node for desk in self._desks for asked, _ in desk.flying.values())

    def _collect(self, place: int) -> None:
        """Takes what has come, or what comes first; all but the answer at `place` is moved out of its slot."""
        busy = {desk.worker: desk for desk in self._desks if desk.flying}
        for worker in answered(busy, self._patience(busy.values())):
            try:
                self._take(busy.pop(worker), worker.receive(), place)
            except EOFError:
                self._replace(next(desk for desk in self._desks if desk.worker is worker))
        self._cut_off(busy.values())

    def _patience(self, desks: Iterable[_Desk]) -> float | None:
        """Seconds until the first client will have run too long; None where it may run for ever."""
        if self._limit is None:
            return None
        return max(0.0, min(desk.since for desk in desks) + self._limit - time.monotonic())

    def _cut_off(self, desks: Iterable[_Desk]) -> None:
        """Ends the workers whose clients run too long."""
        now = time.monotonic()
        for desk in desks:
            if self._limit is not None and now - desk.since >= self._limit:
                desk.worker.process.kill()
                self._replace(desk, NoAnswerError(f"no answer within client_timeout={self._limit:g} s"))

    def _take(self, desk: _Desk, answer: WorkerReply, place: int) -> None:
        asked, broadcast = desk.flying.pop(answer.slot)
        desk.since = time.monotonic()
        broadcast.flying -= 1
        slot = desk.slots[answer.slot]
        for w in answer.warned:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno, registry=self._warned)
        if answer.error is None:
            self._contexts[asked.node].state = owned(slot.memory.read(answer.state))
        done = Completed(asked.message, slot.content.read(answer.content), answer.error)
        done.release = lambda: desk.free.append(answer.slot)
        self._early[asked.place] = done if asked.place == place else self._moved(done)

    def _moved(self, done: Completed) -> Completed:
        """The same with tensors of its own, and its slot given back, unless too much waits here already."""
        size = tensor_bytes(done.content)
        if self._ahead + size > AHEAD:
            return done
        self._ahead += size

        def release() -> None:
            self._ahead -= size

        moved = Completed(done.message, owned(done.content), done.error, release)
        done.release()
        return moved

    def _replace(self, desk: _Desk, error: Exception | None = None) -> None:
        """A new worker for one that has died; what that one was asked is asked again, first of all.

        error: what is said of the client that it ran; None where it may be asked again.
        """
        ended = desk.worker.end()
        lost = [asked for asked, _ in desk.flying.values()]
        for number, (_, broadcast) in desk.flying.items():
            broadcast.flying -= 1
            desk.free.append(number)
        desk.flying.clear()
        lost[0].deaths += 1
        where = self._contexts.name(lost[0].node)
        if lost[0].deaths == DEATHS and error is None:
            fix = "If memory ran out, lower engine.workers or batch_size; then go on with fedmed run resume=DIR."
            error = refuse(where, "a worker process that outlives its round", f"{DEATHS} that were {ended}", fix)
        if error is not None:
            self._early[lost[0].place] = Completed(lost[0].message, RecordDict(), error)
        else:
            warnings.warn(f"{where}: its worker process was {ended}; another one takes over", stacklevel=2)
        self._waiting.extendleft(reversed(lost[error is not None :]))
        desk.worker = self._hiring.one(desk.worker)
