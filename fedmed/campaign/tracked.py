"""Trackers list the runs of a comparison together, under its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fedmed.campaign.grid import PlannedRun
from fedmed.config.build import build
from fedmed.tracking import Tracking, gathered
from fedmed.tracking.contract import NoneTracking

KEPT = ("report.html", "summary.csv", "runs.csv")
"""What of a comparison's folder is kept with its runs."""


@contextmanager
def tracked(jobs: Sequence[PlannedRun], folder: Path) -> Iterator[list[PlannedRun]]:
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
