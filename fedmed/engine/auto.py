"""Auto: the pool where the machine has more than one core (or GPU) and the run is long enough to pay, else one process.

Every engine it chooses from has the same bits, so what it chooses changes nothing but the time.
"""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Annotated

import torch
from annotated_types import Ge

from fedmed.client import Trainer
from fedmed.devices import spread
from fedmed.engine.base import Engine, Workload
from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.pool import PoolEngine
from fedmed.workers.cores import workers_for

PAYS = {"fork": 2.0, "spawn": 60.0}
"""Seconds of training from which workers pay, by how they begin: what they save must be several times their start."""

STEP = 3.0
"""What a training step takes, in forward passes: backwards costs about twice as much again."""


@dataclass(frozen=True, kw_only=True)
class AutoEngine(Engine):
    """The pool where there is more than one core or GPU and the run is long enough to pay, else one process; same bits.

    workers: how many processes the pool has, if it is chosen (null: as engine=pool).
    """

    workers: Annotated[int, Ge(1)] | None = None

    def fitted(self, trainer: Trainer, load: Workload, say: Callable[[str], None]) -> Engine:
        workers = min(self.workers or _places(trainer), load.clients)
        if why := _obstacle(trainer, load, workers):
            say(f"engine=auto: one process, as {why}")
            return InprocessEngine()
        say(f"engine=auto: {workers} worker processes")
        return PoolEngine(workers=workers)


def _places(trainer: Trainer) -> int:
    """How many clients can train side by side on what the machine has."""
    if trainer.device.type == "cpu":
        return workers_for(torch.get_num_threads())
    devices = len(spread(trainer.device))
    return devices * PoolEngine().workers_per_gpu if devices > 1 else 1


def _obstacle(trainer: Trainer, load: Workload, workers: int) -> str | None:
    """Why the clients had better train in this process; None where workers pay."""
    if parent_process() is not None:
        return "this one is a worker itself"
    if load.clients < 2:
        return "one client trains in a round"
    if workers < 2:
        return f"there is one {'core' if trainer.device.type == 'cpu' else 'GPU'}"
    if sys.platform == "win32":
        return "Windows has no worker processes of ours"
    forks = sys.platform == "linux" and trainer.device.type == "cpu" and torch.get_num_threads() == 1
    if forks and threading.active_count() > 1:
        return "other threads run here, beside which no process can be forked"
    seconds = _estimate(trainer, load)
    return f"the run is short (about {seconds:.0f} s)" if seconds < PAYS["fork" if forks else "spawn"] else None


def _estimate(trainer: Trainer, load: Workload) -> float:
    """About how many seconds of training the run is, one client after another; the trainer stays as it is."""
    part = trainer.share(0).train[: trainer.training.batch_size]
    net = copy.deepcopy(trainer.net).eval()
    seconds = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for _ in range(3):
            began = time.perf_counter()
            net(trainer.passes.trial(part.x)).sum().item()
            seconds.append(time.perf_counter() - began)
    return STEP * min(seconds) / len(part) * load.images
