"""The supervisor of worker processes: receives their messages, notices which of them die, and ends them all at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Generic, NamedTuple, TypeVar

from fedmed.workers.process import WorkerProcess

Task = TypeVar("Task")


@dataclass(slots=True, eq=False)
class Worker(Generic[Task]):
    """A worker process, with the tasks that it was given and has not finished, the one that it is at first.

    since: when it began with that one, by the monotonic clock (seconds).
    """

    process: WorkerProcess
    tasks: list[Task] = field(default_factory=list)
    since: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it has been at its first task."""
        return time.monotonic() - self.since

    def give(self, task: Task, message: Any) -> None:
        """Sends the message that has the task done."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        self.process.send(message)

    def finish(self, task: Task) -> None:
        """Takes note that a task is finished; the worker begins with its next."""
        self.tasks.remove(task)
        self.since = time.monotonic()


AnyWorker = TypeVar("AnyWorker", bound=Worker[Any])


class Death(NamedTuple):
    """A worker has died of its first task, or was killed at it.

    how: it ended (`killed by SIGKILL`). lost: the tasks that it had, which are nobody's now. deaths: how many workers
    have died of the first of these by now.
    """

    how: str
    lost: list[Any]
    deaths: int


class Supervisor(Generic[AnyWorker]):
    """Workers that are watched together.

    key: by what a task is known that is given again after a death (the task itself).
    """

    def __init__(self, key: Callable[[Any], Hashable] = lambda task: task) -> None:
        self.workers: list[AnyWorker] = []
        self._key = key
        self._deaths: Counter[Hashable] = Counter()

    @property
    def busy(self) -> list[AnyWorker]:
        """The workers that have a task."""
        return [worker for worker in self.workers if worker.tasks]

    def receive(self, seconds: float | None) -> list[tuple[AnyWorker, Any]]:
        """What busy workers say, one message of each, or `Death`; waits for the first, or so many seconds (None: any).

        Idle workers are not watched: one that has died is noticed at its next task.
        """
        by_connection: dict[Any, AnyWorker] = {worker.process.connection: worker for worker in self.busy}
        ready = wait(list(by_connection), seconds)
        return [(by_connection[each], self._message(by_connection[each])) for each in ready]

    def reap(self, worker: AnyWorker) -> Death:
        """Waits for the process of a worker that has died, or was killed, in its first task; how it died."""
        how, lost = worker.process.wait(), worker.tasks
        worker.tasks = []
        key = self._key(lost[0])
        self._deaths[key] += 1
        return Death(how, lost, self._deaths[key])

    def stop(self) -> None:
        """Ends all workers, those that are busy in the middle of their tasks, and waits until they are gone."""
        for worker in self.workers:  # all are dismissed before any is waited for, so that they end side by side
            worker.process.dismiss(now=bool(worker.tasks))
        for worker in self.workers:
            worker.process.leave()
        self.workers = []

    def _message(self, worker: AnyWorker) -> Any:
        try:
            return worker.process.receive()
        except EOFError:
            return self.reap(worker)
