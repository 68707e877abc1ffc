"""What a schedule has come to: rows and tables of its jobs, analysts and blocks."""

from __future__ import annotations

from math import fsum
from pathlib import Path
from shutil import get_terminal_size
from statistics import fmean
from typing import Any

from fedmed.comparison.fairness import jain
from fedmed.formatting import count, number
from fedmed.scheduling.jobs import Job, JobsFile
from fedmed.scheduling.ledger import LedgerState, epsilon_text
from fedmed.scheduling.runs import outcomes
from fedmed.terminal.text_table import TextTable, fit


class Schedule:
    """The schedule of a jobs file as its ledger has it.

    jobs: the file. state: of the ledger.
    """

    def __init__(self, jobs: JobsFile, state: LedgerState) -> None:
        self.jobs, self.state = jobs, state
        directories = {name: Path(grant.directory) for name, grant in state.grants.items()}
        known = {job.name for job in jobs.jobs}
        self._outcomes = {name: (metric, value) for name, metric, value in outcomes(directories) if name in known}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per job of the file: what was decided, what it got and spent, and what its run came to."""
        return [self._row(job) for job in self.jobs.jobs]

    @property
    def analysts(self) -> list[dict[str, Any]]:
        """A row per analyst: jobs, granted ones, their utility, and the mean of what their runs came to."""
        return [self._analyst(name) for name in self.jobs.analysts]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """A row per block: its capacity, and the largest epsilon that one more job could have of it."""
        found, state = self.jobs, self.state
        spent = sum((found.cost(state.spent(name)) for name in state.grants), start=0 * found.capacity)
        left = [found.composition.largest(each) for each in found.capacity - spent]
        return [
            {"block": block.name, "capacity": block.capacity, "left": rest}
            for block, rest in zip(found.blocks, left, strict=True)
        ]

    @property
    def failed(self) -> list[str]:
        """Names of jobs whose runs have failed."""
        return [name for name, each in self.state.settlements.items() if each.status == "failed"]

    def table(self, width: int | None = None) -> str:
        """Jobs, analysts and blocks as tables of text. width: characters of a line (None: the terminal's)."""
        width = width or get_terminal_size().columns
        return "\n\n".join("\n".join(part.text() for part in fit(table, width)) for table in self._tables())

    def __repr__(self) -> str:
        return f"Schedule({count(len(self.jobs.jobs), 'job')}, {len(self.state.grants)} granted)"

    def __str__(self) -> str:
        return self.table()

    def _row(self, job: Job) -> dict[str, Any]:
        state, grant = self.state, self.state.grants.get(job.name)
        settled = state.settlements.get(job.name)
        status = (
            settled.status if settled else "granted" if grant else "refused" if job.name in state.refused else "waits"
        )
        metric, value = self._outcomes.get(job.name, (None, None))
        return {
            "job": job.name,
            "analyst": job.analyst,
            "status": status,
            "time": grant.time if grant else None,
            "asked": dict(job.demand),
            "spent": dict(settled.epsilons) if settled else None,
            "rounds": settled.rounds if settled else None,
            "metric": metric,
            "value": value,
        }

    def _analyst(self, name: str) -> dict[str, Any]:
        own = [job.name for job in self.jobs.jobs if job.analyst == name]
        grants = [self.state.grants[job] for job in own if job in self.state.grants]
        values = [value for job in own if (value := self._outcomes.get(job, ("", None))[1]) is not None]
        return {
            "analyst": name,
            "jobs": len(own),
            "granted": len(grants),
            "utility": fsum(grant.utility for grant in grants),
            "runs": len(values),
            "value": fmean(values) if values else None,
        }

    def _tables(self) -> list[TextTable]:
        rows, analysts = self.rows, self.analysts
        metric = next((row["metric"] for row in rows if row["metric"]), "")
        utilities = [each["utility"] for each in analysts]
        cells = [[row["job"], row["analyst"], row["status"], _epsilons(row), number(row["value"])] for row in rows]
        shares = [
            [each["analyst"], str(each["jobs"]), str(each["granted"]), number(each["utility"]), number(each["value"])]
            for each in analysts
        ]
        blocks = [[each["block"], f"{each['capacity']:g}", f"{each['left']:.4g}"] for each in self.blocks]
        total = f"sum of utilities {number(fsum(utilities))}, Jain {number(jain(utilities) if utilities else None)}"
        return [
            TextTable(header=["job", "analyst", "", "epsilon", metric], rows=cells, left=frozenset({0, 1, 2, 3})),
            TextTable(
                header=["analyst", "jobs", "granted", "utility", metric],
                rows=shares,
                left=frozenset({0}),
                below=[total],
            ),
            TextTable(header=["block", "capacity", "left"], rows=blocks, left=frozenset({0})),
        ]


def _epsilons(row: dict[str, Any]) -> str:
    """What a job got, and what it has spent where that is less."""
    demand, spent = epsilon_text(row["asked"]), row["spent"]
    return (
        demand
        if spent is None
        else f"{epsilon_text({name: round(each, 3) for name, each in spent.items()})} of {demand}"
    )
