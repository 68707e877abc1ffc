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
from fedmed.formatting import clock, number, span
from fedmed.metric_direction import DEFAULT_METRIC
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.rounds import SCOPES, Row
from fedmed.rundir.schema import Status

BLOCKS = "▁▂▃▄▅▆▇█"
SILENT = 60.0
"""Seconds without news after which a run may have been stopped, if its rounds are not that slow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WatchedRun:
    """Where a run stands.

    rounds: how many it will have. metric: name of the metric that is told (`test.auc`). values: its course.
    row: of the last round. pace: seconds of a round, the mean of the last ten. told: when it told its last news, in
    seconds since the epoch.
    """

    path: Path
    status: Status
    rounds: int
    metric: str
    values: Sequence[float]
    row: Row
    pace: float | None
    told: float

    @property
    def over(self) -> bool:
        """Whether it has finished or stopped."""
        return self.status != "running"

    @property
    def done(self) -> int:
        """Rounds that ended."""
        return int(self.row.get("round") or 0)

    @property
    def news(self) -> float:
        """Seconds since its last news."""
        return max(0.0, time.time() - self.told)

    @property
    def silent(self) -> bool:
        """Whether it has told nothing for so long that it may have been stopped."""
        return not self.over and self.news > max(SILENT, 5 * (self.pace or 0))

    def texts(self) -> dict[str, str]:
        """Round, loss, metric, its course, and time left, each short; empty where it is not known."""
        loss = self.row.get("loss")
        return {
            "round": f"round {self.done:{len(str(self.rounds))}}/{self.rounds}",
            "loss": "" if loss is None else f"loss {loss:.4f}",
            "metric": f"{self.metric} {number(self.values[-1])}" if self.values else "",
            "course": spark(self.values[-24:]) if len(self.values) > 1 else "",
            "rate": "" if self.pace is None else f"{span(self.pace)}/round",
            "left": self._left(),
        }

    def _left(self) -> str:
        if self.over:
            return self.status
        if self.silent:
            return f"no news for {clock(self.news)}"
        return "" if self.pace is None else f"{clock(self.pace * (self.rounds - self.done))} left"


def spark(values: Sequence[float]) -> str:
    """A course as a row of blocks, from the lowest value to the highest."""
    low, high = min(values), max(values)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((value - low) * steps)] for value in values)


def find(folder: Path) -> list[Path]:
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
    """Where the run stands; None where its files are damaged, or not there yet."""
    run = RunDirectory(path)
    try:
        status, rows, config = run.status, run.rows("rounds"), _config(path)
        told = max(file.stat().st_mtime for file in path.glob("r*.json*"))
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
        told=told,
    )


@cache
def _config(path: Path) -> Mapping[str, Any]:
    from omegaconf import OmegaConf

    from fedmed.config.stored import read_stored

    config: Any = OmegaConf.to_container(read_stored(path))
    return config  # type: ignore[no-any-return]


def _metric(rows: Sequence[Row], chosen: str | None) -> str:
    """The headline by the name that the rows give it; empty where none has it yet."""
    known = {name for row in rows for name in row}
    names = (f"{scope}.{metric}" for scope in SCOPES for metric in ([chosen] if chosen else DEFAULT_METRIC.values()))
    return next((name for name in names if name in known), "")
