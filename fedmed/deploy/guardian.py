"""A process that ends what another one has started and cleans up after it, should that one be killed.

`python -m fedmed.deploy.guardian HOME` waits until its standard input closes, which the system does for a process that
dies of anything, then ends every process whose FLWR_HOME is HOME or lies in it, and removes HOME.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

STOPS_WITHIN = 10.0
"""Seconds that processes have to end when they are asked to."""


@contextmanager
def guarded(home: Path) -> Iterator[None]:
    """For the length of a block, a guardian of this process and of what lives in `home`."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fedmed.deploy.guardian", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "FLWR_HOME"},
        start_new_session=True,  # what kills the group of this process leaves it alone
    )
    assert process.stdin is not None
    try:
        yield
    finally:
        process.stdin.close()
        process.wait()


def stop(processes: Sequence[subprocess.Popen[bytes]], home: Path) -> None:
    """Asks the processes, and all others that live in `home`, to end; kills what has not after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline, signalled = time.monotonic() + STOPS_WITHIN, set[int]()
        while running := {p.pid for p in processes if p.poll() is None} | processes_of(home):
            for pid in running - signalled:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            signalled |= running
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)


def processes_of(home: Path) -> set[int]:
    """Processes that were started with `home`, or a folder in it, as FLWR_HOME; none without /proc.

    Flower's programs start others in sessions of their own, which outlive them by seconds.
    """
    wanted, found = f"FLWR_HOME={home}".encode(), set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            variables = (process / "environ").read_bytes().split(b"\0")
            if any(each == wanted or each.startswith(wanted + b"/") for each in variables):
                found.add(int(process.name))
    return found - {os.getpid()}


def main() -> None:
    """The guardian's process: waits for its parent to end, then stops what it guards."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    home = Path(sys.argv[1])
    sys.stdin.buffer.read()
    stop([], home)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
