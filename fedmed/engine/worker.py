"""A worker: a process of its own that runs clients' messages one after another, and its handle in the run's process.

What crosses the line between them is small: who is asked and where in shared memory the tensors lie. A worker keeps
nothing of a client: a client's state comes with the task and goes back with the answer.
"""

from __future__ import annotations

import pickle
import signal
import traceback
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import torch
from flwr.app import Context, Message, Metadata, RecordDict
from flwr.clientapp import ClientApp

from fedmed.child import be_a_child
from fedmed.client import Trainer
from fedmed.config.build import import_files, imported_files
from fedmed.devices import PROCESSOR
from fedmed.engine.contexts import fresh_context
from fedmed.engine.shared_memory import RecordLayout, SharedMemoryBlock
from fedmed.flower import app_of, identify
from fedmed.heap import keep_freed_memory

PATIENCE = 0.2
"""Seconds that a worker which is told to stop has before it is made to."""


class ForwardedWarning(NamedTuple):
    """A warning, as `warnings.warn_explicit` takes it."""

    message: Warning | str
    category: type[Warning]
    filename: str
    lineno: int


class ClientTask(NamedTuple):
    """A message for one client. content: (which broadcast arena, its number, what lies there)."""

    slot: int
    metadata: Metadata
    content: tuple[int, int, RecordLayout]
    state: RecordLayout


class WorkerReply(NamedTuple):
    """What a worker answers about one client.

    content, state: where the reply and the client's state lie in the slot. error: what the client's app raised instead
    of them. warned: the warnings it gave.
    """

    slot: int
    content: RecordLayout = ()
    state: RecordLayout = ()
    error: Exception | None = None
    warned: tuple[ForwardedWarning, ...] = ()


@dataclass(slots=True)
class TaskBuffers:
    """Room for one task in flight: what it brings and what it gives."""

    state: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    content: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)
    memory: SharedMemoryBlock = field(default_factory=SharedMemoryBlock)


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker works with. device: where it trains; sharers: how many workers there are on it."""

    trainer: Trainer | SharedTrainer
    clients: int
    threads: int
    broadcasts: tuple[SharedMemoryBlock, ...]
    slots: tuple[TaskBuffers, ...]
    device: torch.device = PROCESSOR
    sharers: int = 1

    def open(self) -> Trainer:
        """The trainer, on the device."""
        trainer = self.trainer.open() if isinstance(self.trainer, SharedTrainer) else self.trainer
        return trainer if trainer.device == self.device else trainer.replica(self.device, self.sharers)


@dataclass(frozen=True, slots=True)
class SharedTrainer:
    """A trainer for processes that inherit nothing; they share its images.

    files: the users' files that it needs. pickled: all but the tensors, which lie in the arena.
    """

    files: list[Path]
    arena: SharedMemoryBlock
    pickled: bytes

    @classmethod
    def of(cls, trainer: Trainer) -> SharedTrainer:
        """Copies the trainer's tensors into shared memory."""
        arena = SharedMemoryBlock()
        return cls(imported_files(), arena, arena.dump(trainer))

    def open(self) -> Trainer:
        import_files(self.files)
        trainer: Trainer = self.arena.load(self.pickled)
        return trainer


class ClientWorker:
    """The handle of a worker process."""

    def __init__(self, kit: WorkerSetup, method: str) -> None:
        context: Any = get_context(method)
        self.kit = kit
        self.line, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(kit, theirs), daemon=True, name="fedmed")
        self.process.start()
        theirs.close()

    def ready(self) -> bool:
        """Waits until the worker is ready; whether it can train. Raises `EOFError` where it died instead."""
        return bool(self.line.recv())

    def send(self, task: ClientTask | None) -> None:
        """Hands over a task, or None to end; that a worker has died is found out when its answer is awaited."""
        with suppress(OSError):
            self.line.send_bytes(pickle.dumps(task))

    def receive(self) -> WorkerReply:
        """The next answer; raises `EOFError` where the worker has died."""
        try:
            answer: WorkerReply = pickle.loads(self.line.recv_bytes())
        except OSError as error:
            raise EOFError from error
        return answer

    def end(self) -> str:
        """Waits for a worker that has died; how it ended."""
        self.process.join()
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"gone with exit code {code}"

    def stop(self) -> None:
        """Ends the process, in the middle of a client if need be."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.line.close()


def answered(workers: Iterable[ClientWorker], within: float | None = None) -> list[ClientWorker]:
    """The workers that have answered or died; waits for the first, or so many seconds."""
    lines = {worker.line: worker for worker in workers}
    return [lines[line] for line in connection.wait(list(lines), within)]


def _serve(kit: WorkerSetup, line: Connection) -> None:
    """A worker's life: task after task, until it is told to end or the run's process has gone."""
    be_a_child()
    identify()
    keep_freed_memory()
    trainer = kit.open()
    torch.set_num_threads(kit.threads)
    line.send(_can_train())
    served = _Served(app_of(trainer), kit)
    with suppress(EOFError, OSError):
        while (task := pickle.loads(line.recv_bytes())) is not None:
            line.send_bytes(served.answer(task))


class _Served:
    """What a worker keeps between tasks: the app, and what was last broadcast."""

    def __init__(self, app: ClientApp, kit: WorkerSetup) -> None:
        self._app, self._kit = app, kit
        self._contents: dict[int, tuple[int, RecordDict]] = {}

    def answer(self, task: ClientTask) -> bytes:
        """The pickled answer to a task."""
        try:
            return pickle.dumps(self._run(task))
        except Exception as error:
            return _pickled(WorkerReply(task.slot, error=error))

    def _run(self, task: ClientTask) -> WorkerReply:
        slot = self._kit.slots[task.slot]
        context: Context = fresh_context(task.metadata.dst_node_id, self._kit.clients, slot.state.read(task.state))
        message = Message(self._content(*task.content), metadata=task.metadata)  # type: ignore[call-overload]
        with warnings.catch_warnings(record=True) as caught:
            content = self._app(message, context).content
        warned = tuple(ForwardedWarning(w.message, w.category, w.filename, w.lineno) for w in caught)
        return WorkerReply(task.slot, slot.content.write(content), slot.memory.write(context.state), None, warned)

    def _content(self, arena: int, number: int, blueprint: RecordLayout) -> RecordDict:
        if self._contents.get(arena, (0,))[0] != number:
            self._contents[arena] = number, self._kit.broadcasts[arena].read(blueprint)
        return self._contents[arena][1]


def _pickled(answer: WorkerReply) -> bytes:
    """A failed answer; the exception keeps the worker's traceback as a note, and its text where it cannot be sent."""
    error = answer.error
    assert error is not None
    error.add_note("In the worker:\n" + "".join(traceback.format_tb(error.__traceback__)))
    try:
        pickle.loads(pickled := pickle.dumps(answer))
    except Exception:
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.__notes__ = error.__notes__
        return pickle.dumps(answer._replace(error=plain))
    return pickled


def _can_train() -> bool:
    """Whether torch can differentiate here: not in a process forked from one in which it already has."""
    try:
        torch.ones(1, requires_grad=True).sum().backward()
    except RuntimeError:
        return False
    return True
