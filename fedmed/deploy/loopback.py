"""A SuperLink and SuperNodes of Flower's on this machine, for as long as a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from fedmed.deploy.guardian import guarded, stop
from fedmed.engine.flower_run import LOOPBACK, program
from fedmed.offline import go_offline

HOST = "127.0.0.1"
STARTS_WITHIN = 120.0
"""Seconds that the SuperLink may take to listen."""

CONNECTION = f"""\
[superlink]
default = "{LOOPBACK}"

[superlink.{LOOPBACK}]
address = "{HOST}:{{port}}"
insecure = true
"""


class Loopback(AbstractContextManager["Loopback"]):
    """Starts the processes, each in a group of its own, and stops them all at the end of the block, however it ends.

    Should this very process be killed, its guardian stops them.

    clients: how many SuperNodes. sites: node k keeps its client's memory in sites/k. data: the file of each, where
    they have images of their own. Inside the block FLWR_HOME is a folder of its own, in which the SuperLink is called
    `fedmed-loopback`; the logs of the processes are there too.
    """

    def __init__(self, clients: int, sites: Path, data: Sequence[Path] = ()) -> None:
        self._clients, self._sites, self._data, self._stack = clients, sites, data, ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Loopback:
        with ExitStack() as stack:
            home = Path(stack.enter_context(TemporaryDirectory(prefix="fedmed-flower-", ignore_cleanup_errors=True)))
            stack.enter_context(_environment(home))
            stack.enter_context(guarded(home))
            stack.callback(stop, self._processes, home)
            self._start(home)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def _start(self, home: Path) -> None:
        link, *nodes = free_ports(self._clients + 1)
        (home / "config.toml").write_text(CONNECTION.format(port=link), encoding="utf-8")
        install = "--disable-runtime-dependency-installation"
        address = ["--host", HOST, "--port", str(link)]
        self._processes.append(_launch(["flower-superlink", "--insecure", *address, install], home / "superlink"))
        _await_port(link, self._processes[0], home / "superlink" / "log")
        for number, port in enumerate(nodes):
            address = ["--superlink", f"{HOST}:{link}", "--host", HOST, "--port", str(port)]
            node = ["flower-supernode", "--insecure", *address, "--node-config", self._node_config(number)]
            self._processes.append(_launch(node, home / f"supernode{number}"))

    def _node_config(self, number: int) -> str:
        data = [f'dataset-path="{self._data[number]}"'] if self._data else []
        site = f'site-directory="{self._sites / str(number)}"'
        return " ".join([f"partition-id={number} num-partitions={self._clients}", site, *data])


def free_ports(count: int) -> list[int]:
    """Ports of this machine on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _launch(command: list[str], home: Path) -> subprocess.Popen[bytes]:
    """Starts one of Flower's programs with a home of its own, its output in `log` there."""
    home.mkdir()
    with (home / "log").open("wb") as output:
        return subprocess.Popen(
            [program(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "FLWR_HOME": str(home)},
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops the others in order
        )


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    log_end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"Flower's SuperLink did not start; its log ends with:\n{log_end}")


@contextmanager
def _environment(home: Path) -> Iterator[None]:
    """FLWR_HOME, Flower's programs on the path, and nothing asked of the network, for the length of a block."""
    before = dict(os.environ)
    go_offline()
    os.environ["FLWR_HOME"] = str(home)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before.get("PATH", "")])
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
