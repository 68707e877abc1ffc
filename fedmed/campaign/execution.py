"""The runs of a grid, each done once: those done before are left, the others are shared out over a pool of workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.pool import RunEvent, RunPool, WorkerDied
from fedmed.campaign.queue import RunQueue
from fedmed.campaign.worker import RunEnded, RunProgress, RunWarning, log_of
from fedmed.errors import UserError
from fedmed.formatting import first_few
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.campaign import CampaignDisplay, CampaignProgress, RunStatus

TICK = 0.5
"""Seconds after which the display is updated, whatever has happened."""


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What has become of a grid. done: finished runs, in the order of the grid. failed: the others, and why."""

    done: tuple[PlannedRun, ...]
    failed: Mapping[PlannedRun, str]

    def failures(self) -> list[str]:
        """A line for every error, with the runs that it ended."""
        ended: dict[str, list[str]] = {}
        for run, error in self.failed.items():
            ended.setdefault(error, []).append(run.label)
        return [f"{first_few(labels)} failed: {error}" for error, labels in ended.items()]


def execute(runs: Sequence[PlannedRun], *, workers: int, view: CampaignDisplay) -> CampaignResult:
    """Does every run that is not done yet; one that fails stops no other.

    An interrupted run goes on from its last checkpoint, and so does one whose worker process dies.
    """
    under_way = _Execution(runs, view)
    with view, RunPool(min(workers, len(under_way.queue.waiting))) as pool:
        under_way.go(pool)
    return CampaignResult(tuple(under_way.done), under_way.failed)


def finished(run: PlannedRun) -> dict[str, Any] | None:
    """The final metrics of a run that is done; None where it has to be done, or cannot be read."""
    try:
        kept = RunDirectory.open(run.directory)
        return kept.final() if kept.status == "finished" else None
    except (UserError, OSError, KeyError):
        return None


class _Execution:
    """A grid under way: which runs are done, which have failed, and which are left."""

    def __init__(self, runs: Sequence[PlannedRun], view: CampaignDisplay) -> None:
        self._runs, self._view = runs, view
        self.queue = RunQueue()
        self.failed: dict[PlannedRun, str] = {}
        self._done: set[PlannedRun] = set()
        for run in runs:
            if final := finished(run):
                self._done.add(run)
                self.queue.learn(run.kind, float(final["seconds"]))
            else:
                self.queue.waiting.append(run)
        self._before = len(self._done)

    @property
    def done(self) -> list[PlannedRun]:
        """Finished runs, in the order of the grid."""
        return [run for run in self._runs if run in self._done]

    def go(self, pool: RunPool) -> None:
        """Does all runs that are left, as workers of the pool come free."""
        self._view.start(self._progress(pool), pool.size)
        while self.queue.waiting or pool.busy:
            while self.queue.waiting and pool.free:
                pool.give(self.queue.take())
            for event in pool.receive(TICK):
                self._take(event, pool)
            self._view.update(self._progress(pool))

    def _take(self, event: RunEvent, pool: RunPool) -> None:
        run, message = event.run, event.message
        if isinstance(message, RunWarning):
            self._view.warn(f"{run.label}: {message.text}")
        if isinstance(message, WorkerDied):
            self.queue.back(run)
            self._view.warn(f"{run.label}: its worker process was {message.how}; another one goes on with it")
        if isinstance(message, RunEnded) and message.error is None:
            self._done.add(run)
            self.queue.learn(run.kind, event.seconds)
            self._view.ended(run.label, event.seconds, self._progress(pool))
        if isinstance(message, RunEnded) and message.error is not None:
            self.failed[run] = message.error
            self._view.failed(run.label, message.error, str(log_of(run.directory)))

    def _progress(self, pool: RunPool) -> CampaignProgress:
        busy = pool.busy
        return CampaignProgress(
            total=len(self._runs),
            before=self._before,
            done=len(self._done),
            failed=len(self.failed),
            running=[_status(worker.run, worker.progress) for worker in busy],
            left=self.queue.left([(w.run.kind, w.seconds, w.share) for w in busy], max(pool.size, 1)),
        )


def _status(run: PlannedRun, progress: RunProgress) -> RunStatus:
    return RunStatus(label=run.label, round=progress.done, rounds=progress.rounds, value=progress.value)
