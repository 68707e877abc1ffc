"""Equal-budget search: every strategy gets as many trials, workers share them, and validation chooses.

What is judged is the last round's validation, pooled over the clients (or its mean or worst over them, where the metric
says so), because what comparisons report is the last round's test. Test results are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from statistics import fmean

from fedmed.campaign.execution import finished
from fedmed.campaign.grid import PlannedRun, jobs
from fedmed.campaign.judge import USUAL, judged_by, judged_over_clients
from fedmed.campaign.key import key
from fedmed.campaign.pool import RunPool, WorkerDied
from fedmed.campaign.worker import RunEnded, RunMessage, RunWarning
from fedmed.files import runs_folder
from fedmed.formatting import number
from fedmed.rundir.directory import RunDirectory
from fedmed.tuning.plan import Candidate, TuningPlan
from fedmed.tuning.result import Tuning, TuningResult
from fedmed.tuning.search import Search, Trial

DATABASE, RUNS = "study.db", "runs"


def tune(
    plan: TuningPlan, *, folder: Path | None = None, workers: int | None = None, say: Callable[[str], None]
) -> Tuning:
    """Searches what a plan asks for; the same plan in the same folder goes on where it stopped.

    folder: for its database and its runs (None: one in ./runs or $FEDMED_RUNS, named by the plan). workers: runs at a
    time (None: as many as fit). say: is given a line for every trial that ends, and for what a user has to know.
    """
    place = folder or runs_folder() / plan.name
    under_way = Tuner(plan, place, say)
    with RunPool(workers or plan.workers) as pool:
        results = under_way.go(pool)
    return Tuning(plan=plan, folder=place, metric=under_way.metric, results=tuple(results))


@dataclass(slots=True, kw_only=True)
class OpenTrial:
    """A trial under way. left: its runs that have not ended, by key. values: what the others gave."""

    of: int
    trial: Trial
    left: dict[str, PlannedRun]
    values: list[float] = field(default_factory=list)


class Tuner:
    """A tuning under way, in a folder that holds its database and its runs; the same words go on where it stopped."""

    def __init__(self, tuning: TuningPlan, folder: Path, say: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._tuning, self._folder, self._say = tuning, folder, say
        self._searches = [self._search(candidate) for candidate in tuning.candidates]
        self._numbered = list(enumerate(self._searches))
        self._broken_off = [(of, trial) for of, search in self._numbered for trial in search.open()]
        self._open: list[OpenTrial] = []
        self._queue: list[PlannedRun] = []
        self.metric = ".".join(filter(None, (tuning.scope, "val", tuning.metric or USUAL[0])))

    def go(self, pool: RunPool) -> list[TuningResult]:
        """All trials that are left; then what was found."""
        while True:
            while pool.free and (run := self._next_run()):
                pool.give(run)
            if not pool.busy:
                return [self._result(of) for of in range(len(self._searches))]
            for event in pool.receive(1.0):
                self._take(event.run, event.message)

    def _search(self, candidate: Candidate) -> Search:
        return Search(
            self._folder / DATABASE,
            candidate.name,
            candidate.axes,
            greater=self._tuning.greater,
            seed=int(self._tuning.seeds[0]),
            defaults=candidate.defaults,
        )

    def _next_run(self) -> PlannedRun | None:
        """The run to do next; None where there is none, or none before another has ended."""
        while not self._queue:
            begun = self._next()
            if begun is None:
                return None
            self._begin(*begun)
        return self._queue.pop(0)

    def _next(self) -> tuple[int, Trial] | None:
        """The trial to do next: those that were broken off, then one for the strategy that has had the fewest."""
        if self._broken_off:
            return self._broken_off.pop(0)
        spent = [len(search.ended()) + sum(each.of == of for each in self._open) for of, search in self._numbered]
        possible = [of for of, _ in self._numbered if spent[of] < self._tuning.trials(of)]
        if not possible:
            return None
        of = min(possible, key=spent.__getitem__)
        return of, self._searches[of].next()

    def _begin(self, of: int, trial: Trial) -> None:
        """Puts the runs of a trial in the queue, but for those that are done, or under way for another trial."""
        plans = [self._tuning.candidates[of].run(trial.overrides, seed) for seed in self._tuning.seeds]
        configs = {key(run.config, plan.catalogue): run.config for plan in plans for run in plan.runs}
        made = {run.key: run for run in jobs(configs, self._folder / RUNS)}
        known = {name for each in self._open for name in each.left}
        self._open.append(OpenTrial(of=of, trial=trial, left=made))
        for run in list(made.values()):
            if finished(run):
                self._ended(run, None)
            elif run.key not in known:
                self._queue.append(run)

    def _take(self, run: PlannedRun, message: RunMessage | WorkerDied) -> None:
        match message:
            case WorkerDied(how):
                self._say(f"{run.label}: its worker was {how}; it goes on with another")
                self._queue.insert(0, run)
            case RunWarning(text):
                self._say(f"warning: {run.label}: {text}")
            case RunEnded(error):
                self._ended(run, error)

    def _ended(self, run: PlannedRun, error: str | None) -> None:
        """Takes in a run that ended, for every trial that needs it."""
        for opened in [each for each in self._open if run.key in each.left]:
            del opened.left[run.key]
            if error is None:
                opened.values.append(self._value(run))
            if error is not None or not opened.left:
                self._close(opened, error)

    def _close(self, opened: OpenTrial, error: str | None) -> None:
        self._open.remove(opened)
        needed = {name for each in self._open for name in each.left}
        self._queue = [run for run in self._queue if run.key in needed]
        value = None if error or not all(map(isfinite, opened.values)) else fmean(opened.values)
        why = "" if value is not None else error or f"{self.metric} is not defined"
        trial = replace(opened.trial, value=value, why=why)
        search, candidate = self._searches[opened.of], self._tuning.candidates[opened.of]
        search.tell(trial)
        best = search.best()
        result = f"failed: {why}" if value is None else f"{self.metric} {number(value)}"
        count = f"{candidate.name} {len(search.ended())}/{self._tuning.trials(opened.of)}"
        so_far = f" (best {number(best.value)})" if best and value is not None else ""
        self._say(f"{count}: {' '.join(trial.overrides)}: {result}{so_far}")

    def _value(self, run: PlannedRun) -> float:
        """The validation of a finished run; NaN where it is not defined."""
        tuning, final = self._tuning, finished(run) or {}
        if tuning.scope and tuning.metric:
            rows = RunDirectory(run.directory).rows("clients")
            return judged_over_clients(rows, tuning.metric, tuning.scope, higher=tuning.greater)[1]
        name, value = judged_by(final, tuning.metric)
        self.metric = name if name in final else self.metric
        return value

    def _result(self, of: int) -> TuningResult:
        search = self._searches[of]
        return TuningResult(candidate=self._tuning.candidates[of], tried=tuple(search.ended()), best=search.best())
