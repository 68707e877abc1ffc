"""The command in a fresh process that has torch imported already, for tests that need many such processes.

It is forked from a server of multiprocessing's, as the workers of a comparison are. All but its start is as that of
`python -m fedmed`, which other tests see to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context, process
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]

Fedmed = Callable[..., tuple[int, str, str]]
"""A command in this process: its arguments give exit code, standard output and standard error."""


class Command:
    """`fedmed ARGUMENTS` in a folder, begun in a session of its own; used as `subprocess.Popen` is."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(["fedmed.run"])
        self._kept = TemporaryDirectory()
        self._streams = [Path(self._kept.name) / name for name in ("out", "err")]
        given = (folder, os.environ | dict(env or {}), arguments, self._streams)
        self._process: BaseProcess = context.Process(target=_run, args=given, daemon=False)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """What it has written to standard output and to standard error, once it has ended."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutExpired("fedmed", timeout)
        out, err = (stream.read_text(encoding="utf-8") if stream.exists() else "" for stream in self._streams)
        return out, err


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `fedmed ARGUMENTS`."""
    command = Command(folder, *arguments, env=env)
    out, err = command.communicate()
    assert command.returncode is not None
    return command.returncode, out, err


def _run(folder: Path, env: Mapping[str, str], arguments: Sequence[str], streams: Sequence[Path]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process._parent_process = None  # type: ignore[attr-defined]  # no worker, whose engine=auto would be one process
    sys.argv = ["fedmed", *arguments]
    from fedmed.cli.main import main

    sys.exit(main())


def interpreter(folder: Path, *arguments: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """The command in an interpreter and a session of its own, in a folder; its output is kept in pipes."""
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "fedmed", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": python_path} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
