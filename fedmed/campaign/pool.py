"""A pool of worker processes for whole runs: hands runs out, reports their progress, replaces a worker that dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.worker import RunEnded, RunMessage, RunProgress, RunRequest, start_worker
from fedmed.config.values import Config
from fedmed.devices import device_of
from fedmed.workers import Death, Supervisor, Worker
from fedmed.workers.by_value import pickled
from fedmed.workers.cores import workers_for

DEATHS = 3
"""How many workers may die of the same run before it counts as failed."""


def fitting(configs: Sequence[Config]) -> int:
    """How many workers keep every core busy with runs of these configs; one where a GPU trains, for its memory."""
    if any(device_of(config["device"]).type != "cpu" for config in configs):
        return 1
    return workers_for(max((config["torch_threads"] for config in configs), default=1))


class WorkerDied(NamedTuple):
    """The worker of a run has died, and the run has to be done again, from its last checkpoint. how: it died."""

    how: str


class RunEvent(NamedTuple):
    """What has come of a run, so many seconds after it was handed out."""

    run: PlannedRun
    message: RunMessage | WorkerDied
    seconds: float


@dataclass(slots=True, eq=False)
class RunWorker(Worker[PlannedRun]):
    """A worker that does one run at a time. progress: how far that is."""

    progress: RunProgress = RunProgress(0, 0)  # noqa: RUF009  (immutable)

    @property
    def run(self) -> PlannedRun:
        """The run that it is at; there must be one."""
        return self.tasks[0]

    @property
    def share(self) -> float:
        """Which part of the run is done (0 to 1)."""
        return self.progress.done / self.progress.rounds if self.progress.rounds else 0.0


class RunPool:
    """So many workers, each started when it is first needed, that do runs; a context that ends them all at once."""

    def __init__(self, workers: int) -> None:
        self.size = workers
        self._supervisor = Supervisor[RunWorker](key=lambda run: run.key)

    @property
    def busy(self) -> list[RunWorker]:
        """The workers that are doing a run."""
        return self._supervisor.busy

    @property
    def free(self) -> bool:
        """Whether there is somebody for another run."""
        return len(self.busy) < self.size

    def give(self, run: PlannedRun) -> None:
        """Hands out a run; there must be somebody free."""
        worker = next((worker for worker in self._supervisor.workers if not worker.tasks), None)
        if worker is None:
            worker = RunWorker(start_worker())
            self._supervisor.workers.append(worker)
        worker.progress = RunProgress(0, 0)
        worker.give(
            run, RunRequest(run.config, run.directory, None if run.experiment is None else pickled(run.experiment))
        )

    def receive(self, seconds: float) -> list[RunEvent]:
        """What has come of the runs under way; waits so many seconds for something."""
        return [self._event(worker, message) for worker, message in self._supervisor.receive(seconds)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.stop()

    def _event(self, worker: RunWorker, message: RunMessage | Death) -> RunEvent:
        if isinstance(message, Death):
            self._supervisor.workers.remove(worker)
            return RunEvent(message.lost[0], _again(message), worker.seconds)
        run, seconds = worker.run, worker.seconds
        if isinstance(message, RunProgress):
            worker.progress = message
        if isinstance(message, RunEnded):
            worker.finish(run)
        return RunEvent(run, message, seconds)


def _again(death: Death) -> WorkerDied | RunEnded:
    """What is to become of a run whose worker has died: it is done again, but for the last of DEATHS times."""
    if death.deaths < DEATHS:
        return WorkerDied(death.how)
    fix = "If memory ran out, ask for fewer --workers or lower batch_size."
    return RunEnded(f"{death.deaths} worker processes died of it; the last was {death.how}. {fix}")
