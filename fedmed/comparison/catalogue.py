"""Everything that lies in a folder: runs in whatever state they are, and comparisons; for a page that leads to them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fedmed.comparison import record
from fedmed.comparison.find import SIGNS, config_at, content_of
from fedmed.comparison.settings import base_name
from fedmed.errors import UserError
from fedmed.metric_direction import DEFAULT_METRIC
from fedmed.rundir.json_text import parse

SCOPES = ("test", "client.mean", "domain.mean", "val", "adapted.mean")
"""Where a run's headline is looked for, first to last."""

SILENT = 60.0
"""Seconds without news after which a run may have been killed, if its rounds are not that slow."""

TAIL = 1 << 16
"""Bytes at the end of a file of rows in which its last row is looked for first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One run. status: finished, stopped, running, silent, failed, or damaged; why: what is wrong, or nothing.

    done, rounds: how many have ended, and will have. metric, value: the headline so far. created: ISO text.
    """

    path: Path
    strategy: str = ""
    dataset: str = ""
    seed: int | None = None
    status: str
    why: str = ""
    done: int | None = None
    rounds: int | None = None
    metric: str = ""
    value: float | None = None
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonEntry:
    """One comparison. overrides: what the user wrote. runs: their directories; failed: how many of them have."""

    path: Path
    overrides: str
    runs: Sequence[Path]
    failed: int


def list_folder(folder: Path) -> tuple[list[RunEntry], list[ComparisonEntry]]:
    """All runs and comparisons at or below the folder, sorted by path; runs that left no directory among them."""
    entries: dict[Path, RunEntry] = {}
    gathered: list[ComparisonEntry] = []
    errors: dict[Path, record.FailedRun] = {}
    for here, below, files in os.walk(folder):
        if record.NAME in files:
            gathered += _gathered(Path(here), errors)
        if SIGNS & set(files):
            below.clear()
            entries[Path(here).resolve()] = _entry(Path(here))
        below[:] = sorted(name for name in below if not name.startswith("."))
    for path, failure in errors.items():
        known = entries.get(path.resolve())
        if known is None or known.status != "finished":
            entries[path.resolve()] = _failed(path, known, failure)
    return sorted(entries.values(), key=lambda entry: entry.path), gathered


def _gathered(folder: Path, errors: dict[Path, record.FailedRun]) -> Iterator[ComparisonEntry]:
    file = folder / record.NAME
    try:
        runs, failed, overrides = record.recorded(file), record.failures(file), record.overrides_of(file)
    except (UserError, KeyError, TypeError, AttributeError) as error:
        errors[file] = record.FailedRun("", f"the record of a comparison cannot be read ({error})")
        return
    errors |= failed
    yield ComparisonEntry(path=folder, overrides=" ".join(overrides), runs=runs, failed=len(failed))


def _failed(path: Path, known: RunEntry | None, failure: record.FailedRun) -> RunEntry:
    """A run that a comparison lists as failed, with what else is known of it."""
    entry = known or RunEntry(path=path, strategy=failure.label.partition(" ")[0], status="")
    return replace(entry, status="failed", why=failure.why)


def _entry(path: Path) -> RunEntry:
    try:
        about, config = content_of(path / "run.json"), config_at(path)
        last = _last_row(path / "rounds.jsonl")
        final = content_of(path / "final.json") if (path / "final.json").exists() else {}
    except (UserError, OSError) as error:
        why = "; ".join(fault.got for fault in error.faults) if isinstance(error, UserError) else str(error)
        return RunEntry(path=path, status="damaged", why=why)
    metric, value = _headline({**last, **final}, config.get("metric"))
    return RunEntry(
        path=path,
        strategy=base_name(config),
        dataset=config.text("dataset") if "dataset" in config.values else "",
        seed=int(config["seed"]),
        status=_status(path, str(about.get("status")), last),
        done=_whole(last.get("round")) or 0,
        rounds=_whole(config.get("rounds")),
        metric=metric,
        value=value,
        created=str(about.get("created", "")),
    )


def _status(path: Path, status: str, last: Mapping[str, Any]) -> str:
    """As run.json says; silent where a run that is under way has written nothing for long."""
    if status != "running":
        return status
    last_written = max(file.stat().st_mtime for file in path.glob("r*.json*"))
    slow = last.get("seconds")
    return (
        "silent"
        if time.time() - last_written > max(SILENT, 5 * slow if isinstance(slow, int | float) else 0)
        else status
    )


def _headline(found: Mapping[str, Any], chosen: object) -> tuple[str, float | None]:
    """The metric that the run names, else its task's usual one, in the first scope that has it."""
    metrics = [str(chosen)] if chosen else dict.fromkeys(DEFAULT_METRIC.values())
    for name in (f"{scope}.{metric}" for scope in SCOPES for metric in metrics):
        if isinstance(value := found.get(name), int | float):
            return name, float(value)
    return "", None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _last_row(file: Path) -> dict[str, Any]:
    """The last row that is whole; nothing where there is none."""
    if not file.exists():
        return {}
    with file.open("rb") as rows:
        size = rows.seek(0, os.SEEK_END)
        rows.seek(max(0, size - TAIL))
        lines = rows.read().split(b"\n")[:-1]
    return parse(lines[-1], file.name) if lines else {}
