"""The scheduler of the pool: hands messages out to workers, gives replies back in order, replaces workers that die.

A client's round is a function of its message and its state alone, so one whose worker died is simply run again, and
who ran what changes no bit. The order of replies does: the server adds tensors up as they come, and a sum of floats
depends on the order of its terms.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, RecordDict

from fedmed.engine.contexts import Contexts
from fedmed.engine.shared_memory import RecordLayout, SharedMemoryBlock
from fedmed.engine.worker import ClientTask, TaskBuffers, WorkerReply, WorkerSetup
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.errors import refuse
from fedmed.flower.faults import NoAnswerError
from fedmed.flower.records import owned, tensor_bytes
from fedmed.workers import Death, Supervisor, Worker

DEPTH = 2
"""Tasks in flight per worker, so that it finds the next one when it is done with one."""

DEATHS = 2
"""How many workers may die of the same client before the run stops."""

AHEAD = 1 << 28
"""Bytes of replies that wait here, out of the workers' way, while a client before them in the order still trains."""


@dataclass(slots=True)
class Completed:
    """A message and the content of its reply, or what its app raised.

    The content is lent: it lies in a worker's buffers, and is good until the next one is asked for.
    """

    message: Message
    content: RecordDict
    error: Exception | None = None
    release: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _Broadcast:
    """Shared memory for what many messages carry. number: of times it was written; readers: tasks that need it."""

    block: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    held: RecordDict | None = None
    number: int = 0
    layout: RecordLayout = ()
    readers: int = 0

    def hold(self, content: RecordDict) -> None:
        """Writes the content over the last."""
        self.held, self.number, self.layout = content, self.number + 1, self.block.write(content)


@dataclass(slots=True, eq=False)
class _Request:
    """A message and its place in the order of messages."""

    place: int
    message: Message

    @property
    def node(self) -> int:
        return self.message.metadata.dst_node_id


@dataclass(slots=True, eq=False)
class _InFlight:
    """A request that a worker was given. buffers: their number among the worker's."""

    request: _Request
    broadcast: _Broadcast
    buffers: int


@dataclass(slots=True, eq=False, kw_only=True)
class _PoolWorker(Worker[_InFlight]):
    """A worker of the pool. free: numbers of its buffers that no task and no lent reply is using."""

    setup: WorkerSetup
    free: list[int] = field(default_factory=lambda: list(range(DEPTH)))


class ClientScheduler:
    """Workers that answer messages; the messages to one node run one after another.

    contexts: a node's state is sent along, and becomes what the worker sends back.
    A client that is the death of its workers, or runs too long, is an error in the place of its reply.
    """

    def __init__(self, factory: WorkerFactory, workers: int, contexts: Contexts) -> None:
        self._factory, self._contexts = factory, contexts
        # One more than workers: where every client gets a model of its own, none waits for another's to be read; and
        # while workers still read one content, as at the end of a stage, the next can be written already.
        self._broadcasts = [_Broadcast() for _ in range(workers + 1)]
        self._waiting: deque[_Request] = deque()
        self._early: dict[int, Completed] = {}
        self._ahead = 0
        self._limit: float | None = None
        self._warned: dict[Any, Any] = {}
        buffers = [tuple(TaskBuffers() for _ in range(DEPTH)) for _ in range(workers)]
        started = factory.start_all(buffers, tuple(broadcast.block for broadcast in self._broadcasts))
        self._supervisor = Supervisor[_PoolWorker](key=lambda task: task.request)
        self._supervisor.workers = [_PoolWorker(process, setup=setup) for setup, process in started]

    def close(self) -> None:
        """Ends all workers, in the middle of a client if need be."""
        self._supervisor.stop()

    def replies(self, messages: Iterable[Message], limit: float | None = None) -> Iterator[Completed]:
        """The replies, in the order of the messages; a stream that is not read to its end runs to its end unseen.

        limit: seconds that a client may run before it is cut off; None for any.
        """
        self._settle()
        self._limit = limit
        self._waiting = deque(_Request(place, message) for place, message in enumerate(messages))
        for place in range(len(self._waiting)):
            self._hand_out()
            while place not in self._early:
                self._collect(place)
                self._hand_out()
            completed = self._early.pop(place)
            yield completed
            # The reader asks for the next, so it is done with this one: only now may a worker write over it.
            self._contexts.settle(completed.message.metadata.dst_node_id)
            completed.release()

    def _settle(self) -> None:
        """Waits for what is still in flight of a stream that was left, and forgets what was broadcast."""
        self._waiting.clear()
        while self._supervisor.busy:
            self._collect(-1)
        for completed in self._early.values():
            completed.release()
        self._early.clear()
        # A content is known by its identity, and its tensors may have been changed in place since the last stream.
        for broadcast in self._broadcasts:
            broadcast.held = None

    def _hand_out(self) -> None:
        """Sends out what there is room for, to whoever has the least to do."""
        while self._waiting:
            request, workers = self._waiting[0], [worker for worker in self._supervisor.workers if worker.free]
            broadcast = self._broadcast(request.message.content)
            if not workers or broadcast is None or self._is_busy(request.node):
                return
            self._waiting.popleft()
            self._send(request, min(workers, key=lambda worker: len(worker.tasks)), broadcast)

    def _send(self, request: _Request, worker: _PoolWorker, broadcast: _Broadcast) -> None:
        number = worker.free.pop()
        broadcast.readers += 1
        self._contexts.begin(request.node)
        state = worker.setup.buffers[number].state.write(self._contexts[request.node].state)
        content = (self._broadcasts.index(broadcast), broadcast.number, broadcast.layout)
        task = ClientTask(number, request.message.metadata, content, state)
        worker.give(_InFlight(request, broadcast, number), task)

    def _broadcast(self, content: RecordDict) -> _Broadcast | None:
        """Where the content lies, written if it is new; None while all room for contents is in use."""
        for broadcast in self._broadcasts:
            if broadcast.held is content:
                return broadcast
        for broadcast in self._broadcasts:
            if not broadcast.readers:
                broadcast.hold(content)
                return broadcast
        return None

    def _is_busy(self, node: int) -> bool:
        """Whether a task of the node is in flight, whose state the node's next task starts from."""
        return any(task.request.node == node for worker in self._supervisor.workers for task in worker.tasks)

    def _collect(self, place: int) -> None:
        """Takes what has come, or what comes first; all but the reply at `place` is moved out of the buffers."""
        for worker, message in self._supervisor.receive(self._patience()):
            if isinstance(message, Death):
                self._replace(worker, message)
            else:
                self._take(worker, message, place)
        self._cut_off()

    def _patience(self) -> float | None:
        """Seconds until the first client will have run too long; None where it may run for ever."""
        if self._limit is None:
            return None
        return max(0.0, self._limit - max(worker.seconds for worker in self._supervisor.busy))

    def _cut_off(self) -> None:
        """Ends the workers whose clients run too long."""
        if self._limit is None:
            return
        for worker in self._supervisor.busy:
            if worker.seconds >= self._limit:
                worker.process.kill()
                late = NoAnswerError(f"no answer within client_timeout={self._limit:g} s")
                self._replace(worker, self._supervisor.reap(worker), late)

    def _take(self, worker: _PoolWorker, result: WorkerReply, place: int) -> None:
        task = next(task for task in worker.tasks if task.buffers == result.buffers)
        worker.finish(task)
        task.broadcast.readers -= 1
        request, buffers = task.request, worker.setup.buffers[result.buffers]
        for w in result.warned:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno, registry=self._warned)
        if result.error is None:
            # copied: the buffers are written again by a later task, while the state may wait here for many rounds
            self._contexts[request.node].state = owned(buffers.memory.read(result.state))
        completed = Completed(request.message, buffers.content.read(result.content), result.error)
        completed.release = lambda: worker.free.append(result.buffers)
        self._early[request.place] = completed if request.place == place else self._moved(completed)

    def _moved(self, completed: Completed) -> Completed:
        """The same with tensors of its own, so that its buffers are free, unless too much waits here already."""
        size = tensor_bytes(completed.content)
        if self._ahead + size > AHEAD:
            return completed
        self._ahead += size

        def release() -> None:
            self._ahead -= size

        moved = Completed(completed.message, owned(completed.content), completed.error, release)
        completed.release()
        return moved

    def _replace(self, worker: _PoolWorker, death: Death, error: Exception | None = None) -> None:
        """A new process for a worker that has died; what it was given is given out again, first of all.

        error: of the client that it ran; None where that may be given again.
        """
        lost: list[_InFlight] = death.lost
        for task in lost:
            task.broadcast.readers -= 1
            worker.free.append(task.buffers)
        requests = [task.request for task in lost]
        where = self._contexts.name(requests[0].node)
        if death.deaths == DEATHS and error is None:
            fix = "If memory ran out, lower engine.workers or batch_size; then go on with fedmed run resume=DIR."
            error = refuse(where, "a worker process that outlives its round", f"{DEATHS} that were {death.how}", fix)
        if error is not None:
            self._early[requests[0].place] = Completed(requests[0].message, RecordDict(), error)
        else:
            warnings.warn(f"{where}: its worker process was {death.how}; another one takes over", stacklevel=2)
        # in their old order, before all others: `replies` waits for them first
        self._waiting.extendleft(reversed(requests[error is not None :]))
        worker.process = self._factory.replacement(worker.setup)
