"""What a worker process of the pool does: it runs clients' messages one after another.

What crosses the line between it and the run's process is small: the client, and where in shared memory the tensors
lie. A worker keeps nothing of a client: a client's state comes with the task and goes back with the result.
"""

from __future__ import annotations

import pickle
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch
from flwr.app import Context, Message, Metadata, RecordDict
from flwr.clientapp import ClientApp

from fedmed.client import Trainer
from fedmed.devices import PROCESSOR
from fedmed.engine.contexts import fresh_context
from fedmed.engine.shared_memory import RecordLayout, SharedMemoryBlock
from fedmed.flower import app_of, identify
from fedmed.heap import keep_freed_memory
from fedmed.options.code import files_of, import_files
from fedmed.workers.child import received, send, send_pickled


class ForwardedWarning(NamedTuple):
    """A warning of a worker's, as `warnings.warn_explicit` takes it."""

    message: Warning | str
    category: type[Warning]
    filename: str
    lineno: int


class ClientTask(NamedTuple):
    """A message for one client.

    buffers: number of the task's buffers among the worker's. content: number of the broadcast block, how many contents
    it has held, and the layout of this one. state: layout of the client's state.
    """

    buffers: int
    metadata: Metadata
    content: tuple[int, int, RecordLayout]
    state: RecordLayout


class WorkerReply(NamedTuple):
    """What came of a task. error: what the client's app raised, instead of content and state; warned: its warnings."""

    buffers: int
    content: RecordLayout = ()
    state: RecordLayout = ()
    error: Exception | None = None
    warned: tuple[ForwardedWarning, ...] = ()


@dataclass(slots=True)
class TaskBuffers:
    """The shared memory of one task in flight. state: of the client before; content: of its reply; memory: state after.

    The state after has a block of its own: while it is written, tensors in it may still lie in the block of the state
    before, where the client has left them as they were.
    """

    state: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    content: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    memory: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker process is started with.

    clients: how many nodes there are. threads: of torch. broadcasts: blocks that hold what many messages carry.
    buffers: of its tasks. device: where it trains; sharers: how many workers there are on it.
    """

    trainer: Trainer | SharedTrainer
    clients: int
    threads: int
    broadcasts: tuple[SharedMemoryBlock, ...]
    buffers: tuple[TaskBuffers, ...]
    device: torch.device = PROCESSOR
    sharers: int = 1

    def open(self) -> Trainer:
        """The trainer, on the device."""
        trainer = self.trainer.open() if isinstance(self.trainer, SharedTrainer) else self.trainer
        return trainer if trainer.device == self.device else trainer.replica(self.device, self.sharers)


@dataclass(frozen=True, slots=True)
class SharedTrainer:
    """A trainer for processes that inherit nothing: all of them map its images, none has a copy.

    files: the users' files that it needs. pickled: all but the tensors, which lie in the block.
    """

    files: list[Path]
    block: SharedMemoryBlock
    pickled: bytes

    @classmethod
    def of(cls, trainer: Trainer) -> SharedTrainer:
        """Copies the trainer's tensors into shared memory."""
        block = SharedMemoryBlock()
        pickled = block.dump(trainer)
        return cls(files_of(pickled), block, pickled)

    def open(self) -> Trainer:
        import_files(self.files)
        trainer: Trainer = self.block.load(self.pickled)
        return trainer


def serve(connection: Connection, setup: WorkerSetup) -> None:
    """A worker's life: says whether it can train, then runs task after task until it is told to end."""
    identify()
    keep_freed_memory()
    trainer = setup.open()
    torch.set_num_threads(setup.threads)
    send(connection, _can_train())
    clients = _Clients(app_of(trainer), setup)
    for task in received(connection):
        send_pickled(connection, clients.run(task))


class _Clients:
    """Runs the clients' app, and keeps between tasks only what was last broadcast."""

    def __init__(self, app: ClientApp, setup: WorkerSetup) -> None:
        self._app, self._setup = app, setup
        self._contents: dict[int, tuple[int, RecordDict]] = {}

    def run(self, task: ClientTask) -> bytes:
        """The pickled result of a task; pickled here, so that one which cannot be sent is an error of the client's."""
        try:
            return pickle.dumps(self._run(task))
        except Exception as error:
            return _pickled_error(WorkerReply(task.buffers, error=error))

    def _run(self, task: ClientTask) -> WorkerReply:
        buffers = self._setup.buffers[task.buffers]
        context: Context = fresh_context(task.metadata.dst_node_id, self._setup.clients, buffers.state.read(task.state))
        message = Message(self._content(*task.content), metadata=task.metadata)  # type: ignore[call-overload]
        with warnings.catch_warnings(record=True) as caught:
            content = self._app(message, context).content
        warned = tuple(ForwardedWarning(w.message, w.category, w.filename, w.lineno) for w in caught)
        return WorkerReply(
            task.buffers, buffers.content.write(content), buffers.memory.write(context.state), None, warned
        )

    def _content(self, block: int, number: int, layout: RecordLayout) -> RecordDict:
        """The content of a broadcast block, the same object for every client that gets it.

        The number tells a content from an earlier one of the same layout, which lay in the very same place.
        """
        if self._contents.get(block, (0,))[0] != number:
            self._contents[block] = number, self._setup.broadcasts[block].read(layout)
        return self._contents[block][1]


def _pickled_error(result: WorkerReply) -> bytes:
    """A failed result; the exception keeps the worker's traceback as a note, and its text where it cannot be sent."""
    error = result.error
    assert error is not None
    error.add_note("In the worker:\n" + "".join(traceback.format_tb(error.__traceback__)))
    try:
        pickle.loads(pickled := pickle.dumps(result))
    except Exception:
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.__notes__ = error.__notes__
        return pickle.dumps(result._replace(error=plain))
    return pickled


def _can_train() -> bool:
    """Whether torch can differentiate here.

    Not in a process that was forked from one in which it already has: the threads of the autograd engine do not live
    on in the fork, and torch refuses to wait for threads that are not there.
    """
    try:
        torch.ones(1, requires_grad=True).sum().backward()
    except RuntimeError:
        return False
    return True
