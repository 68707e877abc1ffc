"""Flower's simulation runtime on Ray: the same app on all cores of a machine, or on the machines of a Ray cluster.

This is the one shim for `flwr.simulation.run_simulation`, which Flower deprecates in favour of `flwr run`: it is the
only entry that leaves the ServerApp, and so the run's directory, its progress and Ctrl-C, in the user's own process.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Queue
from threading import Event, Thread
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from fedmed.client import Trainer
from fedmed.engine.base import Engine
from fedmed.errors import UserError, refuse
from fedmed.offline import go_offline

PULL = 0.01
"""Seconds between two looks for replies; Flower's own grid looks every 0.1 s."""


@dataclass(frozen=True, kw_only=True)
class RayEngine(Engine):
    """Flower's simulation runtime on Ray: on this machine, or on a cluster that ray start has made of several.

    client_cpus: cores that a client takes, so that cores / client_cpus clients train side by side (> 0).
    client_gpus: part of a GPU that a client takes where device is cuda (> 0; 0.5: two clients side by side on each).
    cpus: cores of this machine that Ray may use (>= 1, null: all, or those of the cluster).
    """

    cuts_off: ClassVar[bool] = True

    client_cpus: Annotated[float, Gt(0)] = 1.0
    client_gpus: Annotated[float, Gt(0)] = 1.0
    cpus: Annotated[int, Ge(1)] | None = None

    def check(self) -> None:
        if find_spec("ray") is None:
            fix = "Install it: pip install 'fedmed-sim[ray]'."
            raise refuse("engine", "Ray, which engine=ray runs on", "no such package", fix)
        if self.cpus is not None and self.client_cpus > self.cpus:
            fix = "Else no client could train."
            raise refuse("engine.client_cpus", f"at most engine.cpus ({self.cpus})", self.client_cpus, fix)

    def answers_within(self) -> float:
        return math.inf

    def open(self, trainer: Trainer, clients: int, app: ClientApp) -> AbstractContextManager[Grid]:
        start: dict[str, Any] = {} if self.cpus is None else {"num_cpus": self.cpus}
        takes = {"num_cpus": self.client_cpus}
        if trainer.device.type == "cuda":
            if str(trainer.device) != "cuda":
                raise refuse("device", "cuda, as Ray hands out the GPUs", str(trainer.device), "Set device=cuda.")
            takes["num_gpus"] = self.client_gpus
        options = {"client_resources": takes, "init_args": {"log_to_driver": False, **start}}
        return Simulation(app, clients, options)


class Simulation(AbstractContextManager[Grid]):
    """Flower's simulation in a thread of its own; the block gets its grid, and its end ends the simulation.

    options: Flower's backend_config. Raises what the simulation raised where it does not start.
    """

    def __init__(self, app: ClientApp, clients: int, options: dict[str, Any]) -> None:
        self._app, self._clients, self._options = app, clients, options
        self._done = Event()
        self._lent: Queue[Grid | None] = Queue()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._simulate, name="flower simulation", daemon=True)

    def __enter__(self) -> Grid:
        self._thread.start()
        try:
            grid = SimulationGrid(self._lent.get(), self._check)
            grid.await_nodes(self._clients)
        except BaseException:
            self._done.set()
            raise
        return grid

    def __exit__(self, *reason: object) -> None:
        self._done.set()
        self._thread.join()

    def _simulate(self) -> None:
        try:
            _run_simulation(self._server(), self._app, self._clients, self._options)
        except BaseException as error:
            self._error = error  # before the put, which lets the other thread read it
        finally:
            self._lent.put(None)  # wakes `__enter__`, which would wait for ever for a simulation that never began

    def _check(self) -> None:
        """Raises what ended the simulation before its time."""
        if isinstance(self._error, UserError):
            raise self._error
        if not self._thread.is_alive():
            raise RuntimeError(f"Flower's simulation on Ray has ended before the run: {_root(self._error)}")

    def _server(self) -> ServerApp:
        """A ServerApp that lends its grid until the block ends."""
        server = ServerApp()

        @server.main()
        def main(grid: Grid, context: Context) -> None:
            self._lent.put(grid)
            self._done.wait()

        return server


class SimulationGrid(Grid):
    """The grid of a simulation in another thread.

    check: raises when the simulation has died.
    """

    def __init__(self, grid: Grid | None, check: Callable[[], None]) -> None:
        self._check = check
        self._check()
        assert grid is not None
        self._grid = grid

    @property
    def run(self) -> Any:
        return self._grid.run

    def set_run(self, run: Any) -> None:
        self._grid.set_run(run)

    def get_node_ids(self) -> Iterable[int]:
        return self._grid.get_node_ids()

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self._grid.pull_messages(message_ids)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """All replies: a client that fails in a simulation answers with an error.

        timeout: seconds without any reply after which the rest is given up, as all that still run have run that long.
        """
        waiting = set(self.push_messages(messages))
        replies: list[Message] = []
        last = time.monotonic()
        while waiting and (timeout is None or time.monotonic() - last < timeout):
            for reply in self.pull_messages(waiting):
                waiting.remove(reply.metadata.reply_to_message_id)
                replies.append(reply)
                last = time.monotonic()
            self._pause()
        return replies

    def await_nodes(self, clients: int) -> None:
        """Waits until all nodes are registered, which Flower does beside the ServerApp."""
        while len(list(self.get_node_ids())) < clients:
            self._pause()

    def _pause(self) -> None:
        self._check()
        time.sleep(PULL)


def _root(error: BaseException | None) -> BaseException | None:
    """The first of a chain of errors, which says what happened."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    return error


def _run_simulation(server: ServerApp, app: ClientApp, clients: int, options: dict[str, Any]) -> None:
    go_offline()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the default to come; unset, Ray warns
    # Flower would say at length that this entry is deprecated, Ray that it runs beside the main thread
    for name in ("flwr", "ray._private.worker"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from flwr.simulation import run_simulation
    except ImportError as error:
        fix = "Use a Flower before 2 and Ray, as pip install 'fedmed-sim[ray]' gives them, or engine=pool."
        raise refuse("engine", "flwr.simulation.run_simulation, which engine=ray runs on", error, fix) from error
    run_simulation(server_app=server, client_app=app, num_supernodes=clients, backend_config=options)
