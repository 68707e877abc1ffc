"""The page about runs, from Python and for the commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fedmed.comparison.read import read
from fedmed.comparison.rows import Summary
from fedmed.comparison.summary import summarise
from fedmed.metric_direction import Better
from fedmed.report import page
from fedmed.report.tables import files


class WrittenReport(NamedTuple):
    """A page on disk, and the summary of runs that it shows."""

    page: Path
    summary: Summary


def write_report(
    paths: Sequence[Path],
    folder: Path,
    *,
    metric: str | None = None,
    reference: str | None = None,
    force: bool = False,
    better: Better | None = None,
    target: float | None = None,
    notes: Sequence[str] = (),
) -> WrittenReport:
    """Writes page, tables and figures about runs into a folder.

    paths: run directories, or folders of them. metric: the headline metric (None: that of the runs); better: its
    direction, where the runs do not tell. reference: the arm that the others are compared with (None: fedavg). force:
    compares runs that differ in data or code. target: value of the metric to reach. notes: further lines below the
    tables. Raises `UserError` where the runs cannot be compared.
    """
    comparison = read(paths, metric=metric, reference=reference, force=force, better=better)
    summary = summarise(replace(comparison, notes=(*comparison.notes, *notes)), target=target)
    files.write_summary(summary, folder)
    return WrittenReport(page.write_summary(summary, folder), summary)
