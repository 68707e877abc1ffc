"""Runs that `fedmed watch` follows, a line each, as wide as the terminal has room."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fedmed.errors import visible
from fedmed.formatting import clock, duration, number
from fedmed.rundir.watched import WatchedRun
from fedmed.terminal.progress import round_texts

if TYPE_CHECKING:
    from rich.console import RenderableType

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = ("bar", "round", "loss", "metric", "course", "rate", "left")
GIVE_WAY, KEPT = ("rate", "course", "bar", "loss"), ("round", "metric", "left")
"""What is left out on a narrow screen, first to last, and what never is."""


def watch_table(runs: Sequence[WatchedRun], folder: Path, total: int) -> RenderableType:
    """A line for each run; two where its name leaves its figures no room, as what tells runs apart may be anywhere.

    folder: from which runs are named. total: how many runs there will be.
    """
    from rich.console import Group
    from rich.text import Text

    room = shutil.get_terminal_size().columns - 2
    stacked = _layout(runs, folder, room)[0]
    shown = _in_sight(runs, 2 if stacked else 1)
    stacked, widths = _layout(shown, folder, room)
    longest = max((len(run_name(run, folder)) for run in shown), default=0)
    lines = []
    for run in shown:
        texts = _columns(run)
        figures = "  ".join(texts[name].ljust(width) for name, width in widths.items())
        name = run_name(run, folder)
        lines += (
            [Text(name, overflow="fold"), Text(f"  {figures}")]
            if stacked
            else [Text(f"{name.ljust(longest)}  {figures}", no_wrap=True, overflow="crop")]
        )
    finished = sum(run.status == "finished" for run in runs)
    return Group(Text(f"{finished} of {total} runs finished", style="dim"), *lines)


def _layout(runs: Sequence[WatchedRun], folder: Path, room: int) -> tuple[bool, dict[str, int]]:
    """Whether names stand on lines of their own, and the columns that have room, with their widths."""
    if not runs:
        return False, {}
    texts = [_columns(run) for run in runs]
    widths = {name: max(len(each[name]) for each in texts) for name in COLUMNS}
    longest = max(len(run_name(run, folder)) for run in runs)
    beside = _fitting(widths, room - longest)
    return (False, beside) if beside else (True, _fitting(widths, room) or {name: widths[name] for name in KEPT})


def _fitting(widths: dict[str, int], room: int) -> dict[str, int]:
    """As many of the columns as fit, the least important left out first; none where the others do not fit."""
    for count in range(len(GIVE_WAY) + 1):
        kept = {name: width for name, width in widths.items() if name not in GIVE_WAY[:count]}
        if sum(kept.values()) + 2 * len(kept) <= room:
            return kept
    return {}


def _columns(run: WatchedRun) -> dict[str, str]:
    return run_texts(run) | {"bar": ("━" * (8 * run.done // run.rounds)).ljust(8, "╌")}


def _in_sight(runs: Sequence[WatchedRun], height: int = 1) -> list[WatchedRun]:
    """As many as the screen has lines, `height` for each: those with the latest news, in the order of the folder."""
    lines = max(1, (shutil.get_terminal_size().lines - 3) // height)
    latest = sorted(runs, key=lambda run: (run.over, run.idle))[:lines]
    return [run for run in runs if run in latest]


def run_name(run: WatchedRun, folder: Path) -> str:
    """The run's directory as seen from the folder."""
    inside = run.path != folder and run.path.is_relative_to(folder)
    return visible(str(run.path.relative_to(folder)) if inside else run.path.name)


def sparkline(values: Sequence[float]) -> str:
    """Values as a row of blocks, from the lowest value to the highest."""
    low, high = min(values), max(values)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((value - low) * steps)] for value in values)


def run_texts(run: WatchedRun) -> dict[str, str]:
    """Round, loss, metric, its course, and time left, each short; empty where it is not known."""
    return {
        **round_texts(run.done, run.rounds, run.row),
        "metric": f"{run.metric} {number(run.values[-1])}" if run.values else "",
        "course": sparkline(run.values[-24:]) if len(run.values) > 1 else "",
        "rate": "" if run.pace is None else f"{duration(run.pace)}/round",
        "left": _left(run),
    }


def _left(run: WatchedRun) -> str:
    if run.over:
        return run.status
    if run.silent:
        return f"no news for {clock(run.idle)}"
    return "" if run.pace is None else f"{clock(run.pace * (run.rounds - run.done))} left"
