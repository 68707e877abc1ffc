"""A run that another process is at, as its files tell: how far it is, how good, and how long it will take."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from fedmed.errors import UserError, refuse
from fedmed.metric_direction import DEFAULT_METRIC
from fedmed.rundir.config_file import read_values
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.rounds import SCOPES, Row
from fedmed.rundir.schema import Status

SILENT = 60.0
"""Seconds without news after which a run may have been stopped, if its rounds are not that slow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WatchedRun:
    """How far a run is that another process works at.

    rounds: how many it will have. metric: name of the metric to show (`test.auc`). values: its course.
    row: of the last round. pace: seconds of a round, the mean of the last ten. updated: when its files last
    changed, in seconds since the epoch.
    """

    path: Path
    status: Status
    rounds: int
    metric: str
    values: Sequence[float]
    row: Row
    pace: float | None
    updated: float

    @property
    def over(self) -> bool:
        """Whether it has finished or stopped."""
        return self.status != "running"

    @property
    def done(self) -> int:
        """Rounds that ended."""
        return int(self.row.get("round") or 0)

    @property
    def idle(self) -> float:
        """Seconds since its files last changed."""
        return max(0.0, time.time() - self.updated)

    @property
    def silent(self) -> bool:
        """Whether nothing has changed for so long that it may have been stopped."""
        return not self.over and self.idle > max(SILENT, 5 * (self.pace or 0))


def find_runs(folder: Path) -> list[Path]:
    """The run directories in a folder, itself included; raises UserError where there is no such folder."""
    if not folder.is_dir():
        raise refuse("watch", "a run's directory, or a folder that holds some", folder, "Check the path.")
    found = []
    for path, folders, files in os.walk(folder):
        if "run.json" in files:
            found.append(Path(path))
            folders.clear()  # a run's own folders may hold thousands of files
    return sorted(found)


def watched_run(path: Path) -> WatchedRun | None:
    """How far the run is; None where its files are damaged, or not there yet."""
    run = RunDirectory(path)
    try:
        status, rows, config = run.status, run.rows("rounds"), _config(path)
        updated = max(file.stat().st_mtime for file in path.glob("r*.json*"))
    except (OSError, UserError, KeyError, ValueError):
        return None
    last = rows[-1] if rows else {}
    metric = _metric(rows, config.get("metric"))
    return WatchedRun(
        path=path,
        status=status,
        rounds=int(last["round"]) if status == "finished" and rows else int(config["rounds"]),
        metric=metric,
        values=[row[metric] for row in rows if row.get(metric) is not None],
        row=last,
        pace=fmean(row["seconds"] for row in rows[-10:]) if rows else None,
        updated=updated,
    )


@cache
def _config(path: Path) -> Mapping[str, Any]:
    return read_values(path)


def _metric(rows: Sequence[Row], chosen: str | None) -> str:
    """The headline by the name that the rows give it; empty where none has it yet."""
    known = {name for row in rows for name in row}
    names = (f"{scope}.{metric}" for scope in SCOPES for metric in ([chosen] if chosen else DEFAULT_METRIC.values()))
    return next((name for name in names if name in known), "")
