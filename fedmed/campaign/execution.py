"""The runs of a grid, each done once: those that were done before are left, the others are shared out over a crew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.pool import RunEvent, RunPool, WorkerDied
from fedmed.campaign.queue import RunQueue
from fedmed.campaign.worker import RunEnded, RunWarning, log_of
from fedmed.errors import UserError
from fedmed.formatting import some
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.campaign import CampaignDisplay, CampaignProgress, RunStatus

TICK = 0.5
"""Seconds after which the view is told how far the grid is, whatever has happened."""


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What has become of a grid. done: finished runs, in the order of the grid. failed: the others, and why."""

    done: tuple[PlannedRun, ...]
    failed: Mapping[PlannedRun, str]

    def failures(self) -> list[str]:
        """A line for every error, with the runs that it ended."""
        ended: dict[str, list[str]] = {}
        for job, error in self.failed.items():
            ended.setdefault(error, []).append(job.label)
        return [f"{some(labels)} failed: {error}" for error, labels in ended.items()]


def execute(jobs: Sequence[PlannedRun], *, workers: int, view: CampaignDisplay) -> CampaignResult:
    """Does every run that is not done yet; one that fails stops no other.

    An interrupted run goes on from its last checkpoint, and so does one whose worker process dies.
    """
    under_way = _Execution(jobs, view)
    with view, RunPool(min(workers, len(under_way.order.waiting))) as crew:
        under_way.go(crew)
    return CampaignResult(tuple(under_way.done), under_way.failed)


def finished(job: PlannedRun) -> dict[str, Any] | None:
    """The final metrics of a run that is done; None where it has to be done, or cannot be read."""
    try:
        kept = RunDirectory.open(job.directory)
        return kept.final() if kept.status == "finished" else None
    except (UserError, OSError, KeyError):
        return None


class _Execution:
    """Where a grid stands."""

    def __init__(self, jobs: Sequence[PlannedRun], view: CampaignDisplay) -> None:
        self._jobs, self._view = jobs, view
        self.order = RunQueue()
        self.failed: dict[PlannedRun, str] = {}
        self._done: set[PlannedRun] = set()
        for job in jobs:
            if final := finished(job):
                self._done.add(job)
                self.order.learn(job.kind, float(final["seconds"]))
            else:
                self.order.waiting.append(job)
        self._before = len(self._done)

    @property
    def done(self) -> list[PlannedRun]:
        """Finished runs, in the order of the grid."""
        return [job for job in self._jobs if job in self._done]

    def go(self, crew: RunPool) -> None:
        """All runs that are left."""
        self._view.start(self._state(crew), crew.size)
        while self.order.waiting or crew.desks:
            while self.order.waiting and crew.free:
                crew.give(self.order.take())
            for news in crew.hear(TICK):
                self._take(news, crew)
            self._view.update(self._state(crew))

    def _take(self, news: RunEvent, crew: RunPool) -> None:
        job, word = news.job, news.word
        if isinstance(word, RunWarning):
            self._view.warn(f"{job.label}: {word.text}")
        if isinstance(word, WorkerDied):
            self.order.back(job)
            self._view.warn(f"{job.label}: its worker process was {word.how}; another one goes on with it")
        if isinstance(word, RunEnded) and word.error is None:
            self._done.add(job)
            self.order.learn(job.kind, news.seconds)
            self._view.ended(job.label, news.seconds, self._state(crew))
        if isinstance(word, RunEnded) and word.error is not None:
            self.failed[job] = word.error
            self._view.failed(job.label, word.error, str(log_of(job.directory)))

    def _state(self, crew: RunPool) -> CampaignProgress:
        desks = list(crew.desks.values())
        return CampaignProgress(
            total=len(self._jobs),
            before=self._before,
            done=len(self._done),
            failed=len(self.failed),
            running=[
                RunStatus(label=desk.job.label, round=desk.at.done, rounds=desk.at.rounds, value=desk.at.value)
                for desk in desks
            ],
            left=self.order.left([(desk.job.kind, desk.seconds, desk.share) for desk in desks], max(crew.size, 1)),
        )
