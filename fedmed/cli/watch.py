"""`fedmed watch`: follows runs that are under way, from their files; it may be started and left at any time."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fedmed.cli.arguments import Parser, positive
from fedmed.comparison import record
from fedmed.errors import visible
from fedmed.rundir.schema import Status
from fedmed.rundir.watched import WatchedRun, find, watched_run

if TYPE_CHECKING:
    from rich.console import RenderableType

SETTLED = 10.0
"""Seconds without news after which the runs of a folder count as all that there will be."""

COLUMNS = ("bar", "round", "loss", "metric", "course", "rate", "left")
GIVE_WAY, KEPT = ("rate", "course", "bar", "loss"), ("round", "metric", "left")
"""What is left out on a narrow screen, first to last, and what never is."""


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
    return record.recorded(file) if file.is_file() else find(folder)


def _over(runs: Sequence[WatchedRun], folder: Path) -> bool:
    """Whether there is nothing to wait for."""
    file = folder / record.NAME
    if file.is_file():
        return {run.path for run in runs if run.over} | {*record.failures(file)} >= {*record.recorded(file)}
    return bool(runs) and all(run.over and (run.path == folder or run.news > SETTLED) for run in runs)


def _print(looks: Iterator[list[WatchedRun]], folder: Path) -> None:
    """A line when a run begins, at about ten of its rounds, and when it ends."""
    shown: dict[Path, tuple[int, Status]] = {}
    for runs in looks:
        for run in runs:
            stage = (10 * run.done // run.rounds, run.status)
            if shown.get(run.path) != stage:
                shown[run.path] = stage
                words = [text for text in run.texts().values() if text]
                print("  ".join([_name(run, folder), *words] if run.path != folder else words), flush=True)


def _show(looks: Iterator[list[WatchedRun]], folder: Path) -> None:
    """A table that is drawn anew at each look, and stays when all is over."""
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for runs in looks:
            live.update(_table(runs, folder), refresh=True)


def _table(runs: Sequence[WatchedRun], folder: Path) -> RenderableType:
    """A line for each run; two where its name leaves its figures no room, as what tells runs apart may be anywhere."""
    from rich.console import Group
    from rich.text import Text

    room = shutil.get_terminal_size().columns - 2
    stacked = _layout(runs, folder, room)[0]
    shown = _in_sight(runs, 2 if stacked else 1)
    stacked, widths = _layout(shown, folder, room)
    longest = max((len(_name(run, folder)) for run in shown), default=0)
    lines = []
    for run in shown:
        texts = _texts(run)
        figures = "  ".join(texts[name].ljust(width) for name, width in widths.items())
        name = _name(run, folder)
        lines += (
            [Text(name, overflow="fold"), Text(f"  {figures}")]
            if stacked
            else [Text(f"{name.ljust(longest)}  {figures}", no_wrap=True, overflow="crop")]
        )
    finished = sum(run.status == "finished" for run in runs)
    return Group(Text(f"{finished} of {len(_runs(folder))} runs finished", style="dim"), *lines)


def _layout(runs: Sequence[WatchedRun], folder: Path, room: int) -> tuple[bool, dict[str, int]]:
    """Whether names stand on lines of their own, and the columns that have room, with their widths."""
    if not runs:
        return False, {}
    texts = [_texts(run) for run in runs]
    widths = {name: max(len(each[name]) for each in texts) for name in COLUMNS}
    longest = max(len(_name(run, folder)) for run in runs)
    beside = _fitting(widths, room - longest)
    return (False, beside) if beside else (True, _fitting(widths, room) or {name: widths[name] for name in KEPT})


def _fitting(widths: dict[str, int], room: int) -> dict[str, int]:
    """As many of the columns as fit, the least important left out first; none where the others do not fit."""
    for count in range(len(GIVE_WAY) + 1):
        kept = {name: width for name, width in widths.items() if name not in GIVE_WAY[:count]}
        if sum(kept.values()) + 2 * len(kept) <= room:
            return kept
    return {}


def _texts(run: WatchedRun) -> dict[str, str]:
    return run.texts() | {"bar": ("━" * (8 * run.done // run.rounds)).ljust(8, "╌")}


def _in_sight(runs: Sequence[WatchedRun], height: int = 1) -> list[WatchedRun]:
    """As many as the screen has lines, `height` for each: those with the latest news, in the order of the folder."""
    lines = max(1, (shutil.get_terminal_size().lines - 3) // height)
    latest = sorted(runs, key=lambda run: (run.over, run.news))[:lines]
    return [run for run in runs if run in latest]


def _name(run: WatchedRun, folder: Path) -> str:
    inside = run.path != folder and run.path.is_relative_to(folder)
    return visible(str(run.path.relative_to(folder)) if inside else run.path.name)
