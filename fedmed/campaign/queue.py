"""In which order runs are done, and how long they will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from fedmed.campaign.grid import PlannedRun


@dataclass
class RunQueue:
    """What is left to do: first one run of every kind, to learn how long it takes, then the longest first.

    So a kind that takes long is begun early, and no core is left waiting for one long run at the end.
    """

    waiting: list[PlannedRun] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    begun: set[str] = field(default_factory=set)

    def learn(self, kind: str, seconds: float) -> None:
        """Takes in how long a run of a kind took."""
        self.seconds[kind].append(seconds)

    def take(self) -> PlannedRun:
        """Takes the run to do next out of the queue."""
        run = max(self.waiting, key=self._urgency)  # the first of equals
        self.waiting.remove(run)
        self.begun.add(run.kind)
        return run

    def back(self, run: PlannedRun) -> None:
        """A run that was broken off is the next to be done."""
        self.waiting.insert(0, run)
        self.begun.discard(run.kind)

    def expected(self, kind: str) -> float | None:
        """Seconds that a run of the kind takes, of all kinds where it is not known; None while nothing is."""
        known = self.seconds.get(kind) or [each for times in self.seconds.values() for each in times]
        return fmean(known) if known else None

    def left(self, running: Iterable[tuple[str, float, float]], workers: int) -> float | None:
        """Seconds until all is done; None while nothing is known.

        running: kind, seconds so far and share that is done (0 to 1), of each run under way.
        """
        waiting = [self.expected(run.kind) for run in self.waiting]
        under_way = [self._rest(*each) for each in running]
        known = [each for each in (*waiting, *under_way) if each is not None]
        if not known or len(known) < len(waiting) + len(under_way):
            return None
        return max(sum(known) / workers, *known)

    def _rest(self, kind: str, spent: float, share: float) -> float | None:
        if self.seconds.get(kind) or not share:
            expected = self.expected(kind)
            return None if expected is None else max(expected - spent, 0.0)
        return spent / share - spent

    def _urgency(self, run: PlannedRun) -> tuple[bool, float]:
        return run.kind not in self.begun and not self.seconds.get(run.kind), self.expected(run.kind) or 0.0
