"""`fedmed run --multirun`: the words about a sweep, wherever Hydra's launcher makes its jobs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from platform import node

from fedmed.campaign.sweep import SearchDirection, run_sweep, search_direction
from fedmed.cli.outcome import Output, attempt, short
from fedmed.config.compose import Plan
from fedmed.config.values import Config
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.final import Final

Process = tuple[str, int]


def main(checked: Plan, output: Output) -> int:
    """Makes all runs, shows the result of each, and of a search what was found."""
    direction = search_direction(checked) if checked.searches else None
    if direction:
        _print_direction(direction, output)
    job = _ShownJob(output, None if direction else len(checked.runs), _this_process())
    swept = run_sweep(checked, job, direction)
    for directory in map(short, swept.runs):
        if directory not in job.shown and (final := RunDirectory.open(directory).final()):
            output.final({**final, "directory": str(directory)})
    if direction and swept.found and not output.quiet:
        print(f"{short(swept.found)}:\n{swept.found.read_text(encoding='utf-8').rstrip()}", file=sys.stderr)
    if swept.runs or job.shown:
        output.page(short(swept.folder))
    return 0


@dataclass(frozen=True, slots=True)
class _ShownJob:
    """Does one job and shows its result. shown: directories of those that were, in this process alone.

    count: of all jobs; None where nobody knows. home: the process in which results are shown at once; elsewhere words
    of several jobs would mix.
    """

    output: Output
    count: int | None
    home: Process
    shown: list[Path] = field(default_factory=list)

    def __call__(self, config: Config, absolute: Path, number: int) -> Final:
        directory, here = short(absolute), _this_process() == self.home
        output = self.output if here else Output(json=False, quiet=True)
        if not self.output.quiet:
            of = f" of {self.count}" if self.count else ""
            print(f"run {number + 1}{of}: {directory}", file=sys.stderr, flush=True)
        final = attempt(output, directory, lambda runner, show: runner.run(runner.build(config), directory, show=show))
        if final is None:
            raise KeyboardInterrupt
        if here:
            self.shown.append(directory)
            output.final(final)
        return final


def _print_direction(direction: SearchDirection, output: Output) -> None:
    if not direction.override:
        print(f"the sweeper is given {direction.better}", file=sys.stderr)
    elif not output.quiet:
        print(f"{direction.override}: judged is {direction.better}", file=sys.stderr)


def _this_process() -> Process:
    return node(), os.getpid()
