"""Kills runs and has them go on: at every file operation, or at random moments; what is left must be the same bits.

    python -m benchmarks.kills points            dies before, or in the middle of, each open, write, rename, fsync, ...
    python -m benchmarks.kills points --every 9  of these only every ninth
    python -m benchmarks.kills random --times 50 engine=pool engine.workers=2

Prints one JSON object: how many kills there were, after how many the run that went on was right, and the others.
"""

from __future__ import annotations

import argparse
import builtins
import io
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fedmed.cli.main import main as fedmed
from fedmed.run import resume  # noqa: F401  (all that a run needs is imported once, before the processes are forked)
from tests.run.traces import leftovers, trace

RUN = (
    *("run", "-q", "dataset.images=60", "dataset.test_images=12", "dataset.side=16", "clients=3", "rounds=3"),
    *("model.width=4", "strategy=scaffold", "clients_per_round=2", "checkpoint_every=2"),
)


@dataclass
class Deadly:
    """Ends this process at the `at`-th operation on files in `folder`; counts them all where `at` is 0."""

    folder: Path
    at: int = 0
    count: int = 0

    def install(self) -> None:
        """From now on the operations of this process are counted."""
        for name in ("replace", "unlink", "mkdir", "fsync"):
            setattr(os, name, self._watched(getattr(os, name)))
        opened = io.open

        def watched(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if mode in ("r", "rb") or not self._concerns(file):
                return opened(file, mode, *rest, **more)
            self.step()
            return _Written(opened(file, mode, *rest, **more), self)

        io.open = builtins.open = watched

    def step(self, half: Callable[[], object] = lambda: None) -> None:
        """One operation; half: what of it is done by a process that dies in it."""
        self.count += 1
        if self.count == self.at:
            half()
            os.kill(os.getpid(), signal.SIGKILL)

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(target: Any, *rest: Any, **more: Any) -> Any:
            if self._concerns(target):
                self.step()
            return function(target, *rest, **more)

        return watched

    def _concerns(self, target: Any) -> bool:
        path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.path.abspath(target)
        return Path(path).is_relative_to(self.folder)


class _Written:
    """A file whose writes are counted; it dies in the middle of one."""

    def __init__(self, file: Any, deadly: Deadly) -> None:
        self._file, self._deadly = file, deadly

    def write(self, data: Any) -> Any:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._deadly.step(half)
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


def points(every: int, extra: Sequence[str]) -> dict[str, Any]:
    """Kills at every k-th of the operations of one run."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        total = _count(folder, extra)
        straight = _left(folder / "run0")
        tried = range(1, total + 1, every)
        wrong = {}
        for at in tried:
            run = folder / f"run{at}"
            status = _wait(_fork(lambda run=run, at=at: _die_at(run, at, extra)))  # type: ignore[misc]
            if fault := _judge(run, straight, extra, died=status == -signal.SIGKILL):
                wrong[at] = fault
    return {"points": total, "kills": len(tried), "right": len(tried) - len(wrong), "wrong": wrong}


def at_random(times: int, extra: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Kills at moments of equal chance between the start and the end of a run; one that was done counts as well."""
    draw, wrong, during = random.Random(seed), {}, 0
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        began = time.monotonic()
        assert _wait(_fork(lambda: _run(folder / "run0", extra))) == 0
        seconds = time.monotonic() - began
        straight = _left(folder / "run0")
        for number in range(1, times + 1):
            run = folder / f"run{number}"
            process = _fork(lambda run=run: _run(run, extra))  # type: ignore[misc]
            time.sleep(draw.uniform(0, seconds))
            os.kill(process, signal.SIGKILL)
            during += _wait(process) == -signal.SIGKILL
            if fault := _judge(run, straight, extra, died=True):
                wrong[number] = fault
    return {"kills": times, "before the end": during, "right": times - len(wrong), "wrong": wrong}


def _judge(run: Path, straight: dict[str, Any], extra: Sequence[str], *, died: bool) -> str:
    """What is wrong with a run that was killed when it has gone on; empty where nothing is."""
    if not died:
        return "was not killed"
    begun = (run / "config.yaml").exists()
    again = ("run", "-q", f"resume={run}") if begun else (*RUN, *extra, f"hydra.run.dir={run}")
    if code := _wait(_fork(lambda: fedmed(again), run.with_suffix(".log"))):
        return f"exit code {code}: {run.with_suffix('.log').read_text(encoding='utf-8')[-500:]}"
    found = _left(run)
    return ", ".join(name for name in straight if found[name] != straight[name])


def _left(run: Path) -> dict[str, Any]:
    """All that a run leaves; the names of files without those that hold a session of it."""
    names = {str(path.relative_to(run)) for path in run.rglob("*") if not path.name.startswith("events.out.")}
    return trace(run) | {"files": names, "leftovers": leftovers(run)}


def _count(folder: Path, extra: Sequence[str]) -> int:
    def count() -> int:
        (deadly := Deadly(folder / "run0")).install()
        code = _run(folder / "run0", extra)
        (folder / "count").write_bytes(str(deadly.count).encode())
        return code

    assert _wait(_fork(count, folder / "log")) == 0, (folder / "log").read_text(encoding="utf-8")
    return int((folder / "count").read_bytes())


def _die_at(run: Path, at: int, extra: Sequence[str]) -> int:
    Deadly(run, at).install()
    return _run(run, extra)


def _run(run: Path, extra: Sequence[str]) -> int:
    return fedmed([*RUN, *extra, f"hydra.run.dir={run}"])


def _fork(work: Callable[[], int], log: Path = Path(os.devnull)) -> int:
    """Does the work in a process of its own, whose words go to a file; its id."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        code = work()
        sys.stdout.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(code)


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main() -> int:
    """The command line; 1 where a run that went on was not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("points", "random"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("options", nargs="*", help="of the runs")
    given = parser.parse_intermixed_args()
    options = given.options or ["engine=inprocess"]
    found = points(given.every, options) if given.what == "points" else at_random(given.times, options)
    print(json.dumps(found))
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
