"""The handle of a worker process: its connection, and how it is started and ended."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from fedmed.workers.child import become_a_worker

ENDS_WITHIN = 0.2
"""Seconds that a worker has to end when it is asked to, before it is killed."""


class WorkerProcess:
    """A process that was started to do what it is sent, and the parent's end of the connection to it.

    context: how it starts (fork, spawn or forkserver). work: what it does, called there with its end of the connection
    and the arguments. daemon: whether an exit of this process ends it; a daemon may start no processes of its own.
    """

    def __init__(
        self, context: BaseContext, work: Callable[..., None], *arguments: Any, daemon: bool, name: str = "fedmed"
    ) -> None:
        self.connection, theirs = context.Pipe()
        make: Any = context  # typeshed has Process on the concrete contexts only
        self.process: BaseProcess = make.Process(
            target=_start, args=(work, theirs, arguments), daemon=daemon, name=name
        )
        self.process.start()
        # The worker must be the only one that holds its end: that it has died is seen by the end of the stream, which
        # does not come while a copy is open, here or in a worker that is forked later.
        theirs.close()

    def send(self, message: Any) -> None:
        """Sends a message, None to end; that the worker has died is found out when its answer is awaited."""
        with suppress(OSError):
            self.connection.send_bytes(pickle.dumps(message))

    def receive(self) -> Any:
        """The worker's next message; raises `EOFError` where it has died."""
        try:
            return pickle.loads(self.connection.recv_bytes())
        except OSError as error:
            raise EOFError from error

    def kill(self) -> None:
        """Ends the process at once; `wait` says so."""
        self.process.kill()

    def wait(self) -> str:
        """Waits for a process that has died; how it ended."""
        self.process.join()
        self.connection.close()
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"gone with exit code {code}"

    def dismiss(self, *, now: bool) -> None:
        """Tells it to end, once it is done with what it was sent or `now`; `leave` waits for it."""
        if now:
            self.process.terminate()
        self.send(None)

    def leave(self) -> None:
        """Waits until a dismissed worker is gone; kills one that takes its time."""
        self.process.join(ENDS_WITHIN)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _start(work: Callable[..., None], connection: Connection, arguments: tuple[Any, ...]) -> None:
    become_a_worker()
    work(connection, *arguments)
