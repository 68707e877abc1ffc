"""A comparison as a piece of work: its runs are done, recorded and tracked together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fedmed.campaign.execution import CampaignResult, execute
from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.pool import fitting
from fedmed.comparison.record import write_record
from fedmed.config.build import build
from fedmed.terminal.campaign import make_campaign_display
from fedmed.tracking import Tracking, gathered
from fedmed.tracking.contract import NoneTracking

KEPT = ("report.html", "summary.csv", "runs.csv")
"""What of a comparison's folder is kept with its runs."""


@contextmanager
def carried_out(
    planned: Sequence[PlannedRun],
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    workers: int | None = None,
    quiet: bool,
) -> Iterator[CampaignResult]:
    """Does the runs that are not done yet, and keeps in the folder which they are and what has failed.

    What the block writes into the folder, trackers keep beside the runs. overrides: what the user wrote. workers: runs
    at a time (None: as many as keep every core busy; on a GPU one).
    """
    labels = {run.directory: run.label for run in planned}
    write_record(folder, labels, overrides=overrides)
    with _tracked(planned, folder) as runs:
        fit = workers or fitting([run.config for run in planned])
        result = execute(runs, workers=fit, view=make_campaign_display(quiet=quiet))
        failed = {run.directory: error for run, error in result.failed.items()}
        write_record(folder, labels, overrides=overrides, failed=failed)
        yield result


@contextmanager
def _tracked(jobs: Sequence[PlannedRun], folder: Path) -> Iterator[list[PlannedRun]]:
    """The jobs, each of which tells of what comparison it is part; for the length of a block.

    Raises `UserError` where something is missing that their tracking takes.
    """
    tracking = _tracking(jobs[0]) if jobs else NoneTracking()
    if isinstance(tracking, NoneTracking):
        yield list(jobs)
        return
    with gathered(replace(tracking, group=folder.name), files=[folder / name for name in KEPT], warn=_warn):
        yield [_grouped(job, folder.name) for job in jobs]


def _tracking(job: PlannedRun) -> Tracking:
    return (job.experiment or build(job.config)).tracking


def _grouped(job: PlannedRun, group: str) -> PlannedRun:
    config = job.config.changed(tracking={**job.config["tracking"], "group": group})
    made = job.experiment and replace(job.experiment, tracking=replace(job.experiment.tracking, group=group))
    return replace(job, config=config, experiment=made)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
