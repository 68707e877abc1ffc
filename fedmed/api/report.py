"""The page about runs, from Python and for the commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fedmed.comparison.catalogue import list_folder
from fedmed.comparison.read import read
from fedmed.comparison.rows import Summary
from fedmed.comparison.summary import summarise
from fedmed.errors import UserError
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


class FolderReport(NamedTuple):
    """The page that compares the runs of a folder, None where none can; and what kept pages from being written."""

    page: Path | None
    notes: list[str]


def write_folder_report(
    path: Path,
    folder: Path,
    *,
    each: bool = False,
    metric: str | None = None,
    reference: str | None = None,
    force: bool = False,
    better: Better | None = None,
) -> FolderReport:
    """Writes the page that compares all runs at or below a path into a folder; see `write_report`.

    each: writes the page of every finished run as well, into its own directory. Raises `UserError` where there is no
    run, or where these cannot be compared though one said how to.
    """
    notes = list(_each(path)) if each else []
    try:
        written = write_report([path], folder, metric=metric, reference=reference, force=force, better=better)
    except UserError as error:
        # who chooses how to compare wants the comparison; else an index is worth having without
        if metric or reference or better or not any(list_folder(path)):
            raise
        reasons = " ".join(map(str, error.faults))
        return FolderReport(None, [*notes, f"No page compares these runs. {reasons}"])
    return FolderReport(written.page, notes)


def _each(path: Path) -> Iterator[str]:
    """Writes the page of every finished run at or below the path; yields what kept some of them from having one."""
    for entry in list_folder(path)[0]:
        try:
            if entry.status == "finished":
                write_report([entry.path], entry.path)
        except UserError as error:
            yield from (f"{entry.path} has no page: {fault}" for fault in error.faults)
