"""What a worker process of a campaign does: whole runs, one after another.

Unlike a worker of `engine=pool`, which trains clients of one run, it holds nothing between runs but imported code, so
that one that dies takes with it only the rounds of one run since its last checkpoint.
"""

from __future__ import annotations

import pickle
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import NamedTuple, TextIO

from fedmed.config.values import Config
from fedmed.errors import UserError, refuse_file
from fedmed.files import about, without_links
from fedmed.rundir.rounds import Row
from fedmed.terminal.progress import ProgressMeter, RunDisplay
from fedmed.workers import WorkerProcess
from fedmed.workers.child import received, send


class RunRequest(NamedTuple):
    """A run to be done. pickled: the experiment, where it was made in Python; the config says what it is."""

    config: Config
    directory: Path
    pickled: bytes | None = None


class RunProgress(NamedTuple):
    """A run has come so far. value: what its last evaluation gave, as text."""

    done: int
    rounds: int
    value: str = ""


class RunWarning(NamedTuple):
    """A run says something that the user must know."""

    text: str


class RunEnded(NamedTuple):
    """A run has ended. error: why it failed; None where it is finished."""

    error: str | None = None


RunMessage = RunProgress | RunWarning | RunEnded
"""What a worker says about the run that it is doing."""


def start_worker() -> WorkerProcess:
    """Starts a worker process, which is ready a second or two later."""
    return WorkerProcess(_context(), _serve, daemon=False, name="fedmed run")  # a run may start a pool of its own


def prepare_workers() -> None:
    """Says that workers will be needed soon: they have less to import then, while this process does something else."""
    if sys.platform == "linux":
        from multiprocessing import forkserver

        _context()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it outlives a Ctrl-C, and ends with this process
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, before)


def _context() -> BaseContext:
    """Fresh processes: forked from one that has only imported torch, or spawned where forking is not safe."""
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["fedmed.run"])
    return context


def log_of(directory: Path) -> Path:
    """Where a run that failed leaves its words, beside its directory."""
    return directory.with_name(f"{directory.name}.log")


def _serve(connection: Connection) -> None:
    """A worker's life: run after run, until it is told to end or the process that hands them out has gone."""
    for request in received(connection):
        send(connection, _do(request, connection))


def _do(request: RunRequest, connection: Connection) -> RunEnded:
    """Does a run, or goes on with it; what it prints goes to its log, which stays only where it failed."""
    path = log_of(request.directory)
    try:
        with _log(path) as log:
            if (ended := _logged(request, connection, log)).error is None:
                path.unlink(missing_ok=True)
            return ended
    except OSError as error:  # of the log itself: a full disk, a folder that is read-only
        return RunEnded(str(refuse_file(error) or error))


def _logged(request: RunRequest, connection: Connection, log: TextIO) -> RunEnded:
    try:
        _run(request, _Relay(connection))
    except Exception as error:
        fault = refuse_file(error) if isinstance(error, OSError) else error if isinstance(error, UserError) else None
        if fault is None:
            traceback.print_exc(file=log)
            return RunEnded(f"{type(error).__name__}: {error}")
        print(fault, file=log)
        return RunEnded("; ".join(map(str, fault.faults)))
    return RunEnded()


def _run(request: RunRequest, show: RunDisplay) -> None:
    from fedmed.config.build import build
    from fedmed.config.stored import code_of
    from fedmed.run import resume, run
    from fedmed.run.lifecycle import continued
    from fedmed.rundir.directory import RunDirectory

    begun = (request.directory / "run.json").is_file()
    if request.pickled is not None:
        experiment = pickle.loads(request.pickled)
        if begun:
            continued(RunDirectory.open(request.directory), experiment, show=show)
        else:
            run(experiment, request.directory, show=show)
    elif begun:
        resume(request.directory, overrides=[], show=show, trusted=code_of(request.config))
    else:
        run(build(request.config), request.directory, show=show)


class _Relay(RunDisplay):
    """Sends what a run shows to the process that handed it out."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._meter = connection, ProgressMeter(0, 0, "")

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self._meter = ProgressMeter(rounds, done, metric)
        send(self._connection, RunProgress(done, rounds))

    def round(self, row: Row) -> None:
        self._meter.add(row)
        send(self._connection, RunProgress(self._meter.done, self._meter.rounds, self._meter.value))

    def warn(self, text: str) -> None:
        send(self._connection, RunWarning(text))


@contextmanager
def _log(path: Path) -> Iterator[TextIO]:
    """The log of a run; whoever has it open does the run, and others wait: a second comparison may need the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with about(path), open(path, "a", opener=without_links, encoding="utf-8") as log:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(log, fcntl.LOCK_EX)
        log.truncate(0)
        with redirect_stdout(log), redirect_stderr(log):
            yield log
