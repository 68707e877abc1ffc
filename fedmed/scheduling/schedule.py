"""The schedule of a jobs file: period by period the policy decides, the ledger keeps it, and granted jobs run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from fedmed.errors import UserError
from fedmed.scheduling.jobs import Job, JobsFile
from fedmed.scheduling.ledger import Grant, Ledger, conflicts, epsilon_text, grant_row, ledger_copy, open_ledger
from fedmed.scheduling.period import decide
from fedmed.scheduling.policies.dpbalance import DPBalance
from fedmed.scheduling.policy import Policy
from fedmed.scheduling.reading import jobs_from, read_jobs
from fedmed.scheduling.result import Schedule
from fedmed.scheduling.runs import JobRun, carried_out, directory_of, job_runs

LEDGER = "ledger.jsonl"


def schedule(
    jobs: str | Path | Mapping[str, Any],
    policy: Policy | None = None,
    *,
    run: bool = False,
    dry_run: bool = False,
    ledger: str | Path | None = None,
    quiet: bool = False,
) -> Schedule:
    """Decides which jobs may spend how much privacy of whose images, and keeps it in a ledger.

    jobs: a jobs file, or what one would hold. policy: DPBalance with beta = 1 unless given. run: whether granted jobs
    are run, one after another, and settle what they spent; what they leave is offered to jobs that wait. dry_run: only
    says what would be decided; nothing is written. ledger: its file (None: ledger.jsonl beside the jobs file). quiet:
    shows no progress.
    Raises `UserError` with every fault before anything is decided; after Ctrl-C or a kill the same call goes on.
    """
    if isinstance(jobs, Mapping):
        found, place = jobs_from(jobs), Path(LEDGER)
    else:
        found, place = read_jobs(Path(jobs)), Path(jobs).parent / LEDGER
    place = place if ledger is None else Path(ledger)
    runs = job_runs(found) if run or any(job.run for job in found.jobs) else {}
    with ledger_copy(place, found) if dry_run else open_ledger(place, found) as kept:
        if faults := list(conflicts(kept.state, found, place)):
            raise UserError(*faults)
        _Scheduling(found, kept, policy or DPBalance(), runs if run and not dry_run else {}, quiet=quiet).go()
        return Schedule(found, kept.state)


class _Scheduling:
    """A schedule under way. runs: of the jobs that are to be run when they are granted."""

    def __init__(
        self, found: JobsFile, ledger: Ledger, policy: Policy, runs: Mapping[str, JobRun], *, quiet: bool
    ) -> None:
        self._found, self._ledger, self._policy, self._runs, self._quiet = found, ledger, policy, runs, quiet

    def go(self) -> None:
        """Every period up to the last arrival; where jobs run, further ones while what they returned is granted."""
        self._run_pending()
        time = int(self._ledger.state.time) + 1
        last = max((ceil(job.arrives) for job in self._undecided), default=-1)
        granted = True
        while time <= last or (granted and self._undecided):
            granted = self._period(float(time)) and bool(self._runs)
            self._run_pending()
            time += 1

    @property
    def _undecided(self) -> list[Job]:
        return [job for job in self._found.jobs if job.name not in self._ledger.state.decided]

    def _period(self, time: float) -> bool:
        """Decides at one time and keeps what was decided; whether anything was granted."""
        if not any(job.arrives <= time for job in self._undecided):
            return False
        found, ledger = self._found, self._ledger
        spent = ledger.spent(found)
        decided = decide(found, self._undecided, spent, time, self._policy)
        rows: list[dict[str, object]] = []
        for each in decided.granted:
            spent = spent + found.cost(each.job.demand)
            left, directory = left_of(found, each.job.demand, spent), str(directory_of(each.job, ledger.path))
            rows.append(grant_row(each.job, time=time, utility=each.utility, left=left, directory=directory))
        for job in decided.left:
            why = f"waited longer than its patience, {job.patience:g}"
            rows.append({"kind": "refusal", "time": time, "job": job.name, "analyst": job.analyst, "why": why})
        ledger.add([*rows, {"kind": "period", "time": time, "policy": repr(self._policy)}])
        return bool(decided.granted)

    def _run_pending(self) -> None:
        for grant in self._ledger.state.pending:
            if grant.job in self._runs:
                self._run(grant, self._runs[grant.job])

    def _run(self, grant: Grant, run: JobRun) -> None:
        found, ledger = self._found, self._ledger
        if not self._quiet:
            print(
                f"{grant.job} of {grant.analyst}: epsilon {epsilon_text(grant.epsilons)}", file=sys.stderr, flush=True
            )
        settled = carried_out(run, found, Path(grant.directory), grant.epsilons, quiet=self._quiet)
        if settled.why:
            print(f"{grant.job} failed: {settled.why}", file=sys.stderr, flush=True)
        back = found.cost(grant.epsilons) - found.cost(settled.epsilons)
        ledger.add(
            [
                {
                    "kind": "settlement",
                    "time": ledger.state.time,
                    "job": grant.job,
                    "analyst": grant.analyst,
                    "spent": dict(settled.epsilons),
                    "left": left_of(found, grant.epsilons, ledger.spent(found) - back),
                    "rounds": settled.rounds,
                    "status": settled.status,
                    "why": settled.why,
                    "directory": grant.directory,
                }
            ]
        )


def left_of(found: JobsFile, names: Mapping[str, float], spent: Any) -> dict[str, float]:
    """The largest epsilon that one more job could have of some blocks. spent: of all at each order (K, A)."""
    left = found.capacity - spent
    composition = found.composition
    return {block.name: composition.largest(left[at]) for at, block in enumerate(found.blocks) if block.name in names}
