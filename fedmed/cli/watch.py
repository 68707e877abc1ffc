"""`fedmed watch`: follows runs that are under way, from their files; it may be started and left at any time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fedmed.cli.arguments import Parser, positive
from fedmed.comparison import record
from fedmed.rundir.schema import Status
from fedmed.rundir.watched import WatchedRun, find_runs, watched_run
from fedmed.terminal.watch import run_name, run_texts, watch_table

SETTLED = 10.0
"""Seconds without news after which the runs of a folder count as all that there will be."""


def main(arguments: list[str]) -> int:
    """Shows where runs stand until they are over; Ctrl-C leaves, and leaves them alone."""
    parser = Parser(
        "watch", "Follows a run, or every run in a folder, until all have finished or stopped. Ctrl-C leaves."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run's directory, or a folder that holds some")
    parser.add_argument("--once", action="store_true", help="show where they stand, and end")
    parser.add_argument("--every", type=positive, metavar="SECONDS", default=1.0, help="between two looks (1)")
    given = parser.parse_args(arguments)
    looks = iter([look(given.folder, {})]) if given.once else _looks(given.folder, given.every)
    try:
        if sys.stdout.isatty():
            _show(looks, given.folder)
        else:
            _print(looks, given.folder)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def look(folder: Path, before: dict[Path, WatchedRun]) -> list[WatchedRun]:
    """Where the runs of the folder stand; one that was finished before is not read again."""
    known = {path: before[path] for path in before if before[path].status == "finished"}
    return [run for path in _runs(folder) if (run := known.get(path) or watched_run(path))]


def _looks(folder: Path, every: float) -> Iterator[list[WatchedRun]]:
    """Look after look, until all runs are over and, in a folder, no other has begun for a while."""
    runs: list[WatchedRun] = []
    while True:
        runs = look(folder, {run.path: run for run in runs})
        yield runs
        if _over(runs, folder):
            return
        time.sleep(every)


def _runs(folder: Path) -> list[Path]:
    """The runs of a comparison, wherever they are kept; else those in the folder."""
    file = folder / record.NAME
    return record.recorded(file) if file.is_file() else find_runs(folder)


def _over(runs: Sequence[WatchedRun], folder: Path) -> bool:
    """Whether there is nothing to wait for."""
    file = folder / record.NAME
    if file.is_file():
        return {run.path for run in runs if run.over} | {*record.failures(file)} >= {*record.recorded(file)}
    return bool(runs) and all(run.over and (run.path == folder or run.idle > SETTLED) for run in runs)


def _print(looks: Iterator[list[WatchedRun]], folder: Path) -> None:
    """A line when a run begins, at about ten of its rounds, and when it ends."""
    shown: dict[Path, tuple[int, Status]] = {}
    for runs in looks:
        for run in runs:
            stage = (10 * run.done // run.rounds, run.status)
            if shown.get(run.path) != stage:
                shown[run.path] = stage
                words = [text for text in run_texts(run).values() if text]
                print("  ".join([run_name(run, folder), *words] if run.path != folder else words), flush=True)


def _show(looks: Iterator[list[WatchedRun]], folder: Path) -> None:
    """A table that is drawn anew at each look, and stays when all is over."""
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for runs in looks:
            live.update(watch_table(runs, folder, len(_runs(folder))), refresh=True)
