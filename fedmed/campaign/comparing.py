"""A comparison as a piece of work: its runs are done, recorded and tracked together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fedmed.campaign.execution import CampaignResult, execute
from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.pool import fitting
from fedmed.campaign.tracked import tracked
from fedmed.comparison.record import write_record
from fedmed.terminal.campaign import make_campaign_display


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
    with tracked(planned, folder) as runs:
        fit = workers or fitting([run.config for run in planned])
        result = execute(runs, workers=fit, view=make_campaign_display(quiet=quiet))
        failed = {run.directory: error for run, error in result.failed.items()}
        write_record(folder, labels, overrides=overrides, failed=failed)
        yield result
