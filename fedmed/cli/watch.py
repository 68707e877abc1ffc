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
from fedmed.results.store import Status
from fedmed.results.watched import Standing, find, standing

if TYPE_CHECKING:
    from rich.console import RenderableType

SETTLED = 10.0
"""Seconds without news after which the runs of a folder count as all that there will be."""

COLUMNS = ("bar", "round", "loss", "metric", "course", "rate", "left")
GIVE_WAY, SHORTEST = ("rate", "course", "bar", "loss"), 16
"""What is left out on a narrow screen, first to last, and how short a run's name may get before that."""


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


def look(folder: Path, before: dict[Path, Standing]) -> list[Standing]:
    """Where the runs of the folder stand; one that was finished before is not read again."""
    known = {path: before[path] for path in before if before[path].status == "finished"}
    return [run for path in _runs(folder) if (run := known.get(path) or standing(path))]


def _looks(folder: Path, every: float) -> Iterator[list[Standing]]:
    """Look after look, until all runs are over and, in a folder, no other has begun for a while."""
    runs: list[Standing] = []
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


def _over(runs: Sequence[Standing], folder: Path) -> bool:
    """Whether there is nothing to wait for."""
    file = folder / record.NAME
    if file.is_file():
        return {run.path for run in runs if run.over} | {*record.failures(file)} >= {*record.recorded(file)}
    return bool(runs) and all(run.over and (run.path == folder or run.news > SETTLED) for run in runs)


def _print(looks: Iterator[list[Standing]], folder: Path) -> None:
    """A line when a run begins, at about ten of its rounds, and when it ends."""
    shown: dict[Path, tuple[int, Status]] = {}
    for runs in looks:
        for run in runs:
            stage = (10 * run.done // run.rounds, run.status)
            if shown.get(run.path) != stage:
                shown[run.path] = stage
                words = [text for text in run.texts().values() if text]
                print("  ".join([_name(run, folder), *words] if run.path != folder else words), flush=True)


def _show(looks: Iterator[list[Standing]], folder: Path) -> None:
    """A table that is drawn anew at each look, and stays when all is over."""
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        for runs in looks:
            live.update(_table(runs, folder), refresh=True)


def _table(runs: Sequence[Standing], folder: Path) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    shown = {_name(run, folder): run.texts() | {"bar": _bar(run)} for run in _in_sight(runs)}
    widths = {name: max(len(texts[name]) for texts in shown.values()) for name in COLUMNS} if shown else {}
    longest = max(map(len, shown), default=0)
    room = shutil.get_terminal_size().columns - 2
    for name in GIVE_WAY:
        if sum(widths.values()) + 2 * len(widths) + min(SHORTEST, longest) > room:
            widths.pop(name, None)
    room = min(longest, max(SHORTEST, room - sum(widths.values()) - 2 * len(widths)))
    lines = [
        "  ".join([_cut(run, room).ljust(room), *(texts[name].ljust(width) for name, width in widths.items())])
        for run, texts in shown.items()
    ]
    finished = sum(run.status == "finished" for run in runs)
    head = Text(f"{finished} of {len(_runs(folder))} runs finished", style="dim")
    return Group(head, *(Text(line, no_wrap=True, overflow="crop") for line in lines))


def _bar(run: Standing) -> str:
    return ("━" * (8 * run.done // run.rounds)).ljust(8, "╌")


def _cut(name: str, room: int) -> str:
    """A name in so many characters: how it begins, and how it ends."""
    return name if len(name) <= room else f"{name[: room // 2]}…{name[len(name) + 1 - (room - room // 2) :]}"


def _in_sight(runs: Sequence[Standing]) -> list[Standing]:
    """As many as the screen has lines: those with the latest news, in the order of the folder."""
    lines = max(1, shutil.get_terminal_size().lines - 3)
    latest = sorted(runs, key=lambda run: (run.over, run.news))[:lines]
    return [run for run in runs if run in latest]


def _name(run: Standing, folder: Path) -> str:
    return (
        str(run.path.relative_to(folder)) if run.path != folder and run.path.is_relative_to(folder) else run.path.name
    )
