"""A crew of workers: hands runs out, hears how they come along, and replaces a worker that dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from types import TracebackType
from typing import Any, NamedTuple, Self

from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.worker import RunEnded, RunMessage, RunProgress, RunRequest, RunWorker
from fedmed.devices import device_of

DEATHS = 3
"""How many workers may die of the same run before it counts as failed."""


def fitting(configs: Sequence[Mapping[Any, Any]]) -> int:
    """How many workers keep every core busy with runs of these configs; one where a GPU trains, for its memory."""
    if any(device_of(config["device"]).type != "cpu" for config in configs):
        return 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores // max((config["torch_threads"] for config in configs), default=1))


class WorkerDied(NamedTuple):
    """The worker of a run has died, and the run has to be done again, from its last checkpoint. how: it died."""

    how: str


class RunEvent(NamedTuple):
    """What has come of a run, so many seconds after it was handed out."""

    job: PlannedRun
    word: RunMessage | WorkerDied
    seconds: float


@dataclass(slots=True)
class BusyWorker:
    """A run that a worker is at. since: when it was handed out, by the monotonic clock."""

    job: PlannedRun
    since: float = field(default_factory=time.monotonic)
    at: RunProgress = field(default_factory=lambda: RunProgress(0, 0))

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self.since

    @property
    def share(self) -> float:
        """Which part of it is done."""
        return self.at.done / self.at.rounds if self.at.rounds else 0.0


class RunPool:
    """So many workers, each started when it is first needed, that do runs; a context that ends them all at once."""

    def __init__(self, workers: int) -> None:
        self.size = workers
        self.desks: dict[RunWorker, BusyWorker] = {}
        self._idle: list[RunWorker] = []
        self._deaths: dict[str, int] = {}

    @property
    def free(self) -> bool:
        """Whether there is somebody for another run."""
        return len(self.desks) < self.size

    def give(self, job: PlannedRun) -> None:
        """Hands out a run; there must be somebody free."""
        worker = self._idle.pop() if self._idle else RunWorker()
        self.desks[worker] = BusyWorker(job)
        worker.ask(RunRequest(dict(job.config), job.directory))

    def hear(self, seconds: float) -> list[RunEvent]:
        """What has come of the runs under way; waits so many seconds for something."""
        ready = connection.wait([worker.line for worker in self.desks], seconds)
        return [self._hear(worker) for worker in list(self.desks) if worker.line in ready]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        workers = [*self.desks, *self._idle]
        for worker in workers:
            worker.dismiss(now=worker in self.desks)
        for worker in workers:
            worker.leave()
        self.desks, self._idle = {}, []

    def _hear(self, worker: RunWorker) -> RunEvent:
        desk = self.desks[worker]
        try:
            word = worker.hear()
        except EOFError:
            return RunEvent(desk.job, self._bury(worker), desk.seconds)
        if isinstance(word, RunProgress):
            desk.at = word
        if isinstance(word, RunEnded):
            self._idle.append(worker)
            del self.desks[worker]
        return RunEvent(desk.job, word, desk.seconds)

    def _bury(self, worker: RunWorker) -> WorkerDied | RunEnded:
        """Takes a dead worker off its desk; what is to become of its run."""
        job, how = self.desks.pop(worker).job, worker.end()
        self._deaths[job.key] = deaths = self._deaths.get(job.key, 0) + 1
        if deaths < DEATHS:
            return WorkerDied(how)
        fix = "If memory ran out, ask for fewer --workers or lower batch_size."
        return RunEnded(f"{deaths} worker processes died of it; the last was {how}. {fix}")
