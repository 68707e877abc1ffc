"""A worker: a process of its own that does whole runs one after another, and its handle in the process that shares out.

Unlike a worker of `engine=pool`, which trains clients of one run, it holds nothing between runs but imported code, so
that one that dies takes with it only the rounds of one run since its last checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from fedmed.child import be_a_child
from fedmed.errors import UserError, refuse_file
from fedmed.files import about, without_links
from fedmed.rundir.rounds import Row
from fedmed.terminal.progress import ProgressMeter, RunDisplay

PATIENCE = 0.2
"""Seconds that a worker which is told to stop has before it is made to."""


class RunRequest(NamedTuple):
    """A run to be done. config: resolved, as plain values."""

    config: dict[str, Any]
    directory: Path


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


class RunWorker:
    """The handle of a worker process, which starts when it is made and is ready a second or two later."""

    def __init__(self) -> None:
        context: Any = _context()
        self.line, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs,), name="fedmed run")
        self.process.start()
        theirs.close()

    def ask(self, asked: RunRequest) -> None:
        """Hands over a run; that the worker has died is found out when its word is awaited."""
        with suppress(OSError):
            self.line.send(asked)

    def hear(self) -> RunMessage:
        """The next word; raises `EOFError` where the worker has died."""
        try:
            word: RunMessage = self.line.recv()
        except OSError as error:
            raise EOFError from error
        return word

    def end(self) -> str:
        """Waits for a worker that has died; how it ended."""
        self.process.join()
        self.line.close()
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"gone with exit code {code}"

    def dismiss(self, *, now: bool) -> None:
        """Tells it to end, in the middle of a run if `now`; `leave` waits for it."""
        if now:
            self.process.terminate()
        self.line.close()

    def leave(self) -> None:
        """Waits until a dismissed worker is gone, and makes it go where it takes its time."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def expect() -> None:
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


def _serve(line: Connection) -> None:
    """A worker's life: run after run, until it is dismissed or the process that shares out has gone."""
    be_a_child()
    while True:
        try:
            asked = line.recv()
        except (EOFError, OSError):
            return
        _say(line, _do(asked, line))


def _say(line: Connection, word: RunMessage) -> None:
    try:
        line.send(word)
    except OSError:  # nobody hears it any more
        os._exit(1)


def _do(asked: RunRequest, line: Connection) -> RunEnded:
    """Does a run, or goes on with it; what it prints goes to its log, which stays only where it failed."""
    path = log_of(asked.directory)
    try:
        with _log(path) as log:
            if (ended := _logged(asked, line, log)).error is None:
                path.unlink(missing_ok=True)
            return ended
    except OSError as error:  # of the log itself: a full disk, a folder that is read-only
        return RunEnded(str(refuse_file(error) or error))


def _logged(asked: RunRequest, line: Connection, log: TextIO) -> RunEnded:
    try:
        _run(asked, _Relay(line))
    except Exception as error:
        fault = refuse_file(error) if isinstance(error, OSError) else error if isinstance(error, UserError) else None
        if fault is None:
            traceback.print_exc(file=log)
            return RunEnded(f"{type(error).__name__}: {error}")
        print(fault, file=log)
        return RunEnded("; ".join(map(str, fault.faults)))
    return RunEnded()


def _run(asked: RunRequest, show: RunDisplay) -> None:
    from omegaconf import OmegaConf

    from fedmed.config.stored import code_of
    from fedmed.run import resume, run

    config = OmegaConf.create(asked.config)
    if (asked.directory / "run.json").is_file():
        resume(asked.directory, overrides=[], show=show, trusted=code_of(config))
    else:
        run(config, asked.directory, show=show)


class _Relay(RunDisplay):
    """Passes on what a run shows."""

    def __init__(self, line: Connection) -> None:
        self._line, self._meter = line, ProgressMeter(0, 0, "")

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self._meter = ProgressMeter(rounds, done, metric)
        _say(self._line, RunProgress(done, rounds))

    def round(self, row: Row) -> None:
        self._meter.add(row)
        _say(self._line, RunProgress(self._meter.done, self._meter.rounds, self._meter.value))

    def warn(self, text: str) -> None:
        _say(self._line, RunWarning(text))


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
