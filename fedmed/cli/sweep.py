"""`fedmed run --multirun`: every job of a sweep, wherever Hydra's launcher makes it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from platform import node

from fedmed.campaign.judge import USUAL, higher_is_better, judged_by
from fedmed.cli.outcome import Output, attempt, check_judged, short
from fedmed.config.compose import Plan
from fedmed.config.grammar import key_of
from fedmed.config.sweeping import SweepResult, sweep
from fedmed.config.values import Config
from fedmed.errors import refuse
from fedmed.metric_direction import direction_name
from fedmed.rundir.directory import RunDirectory

FOUND = "optimization_results.yaml"
"""What Hydra's sweepers that search write into the folder of the sweep."""

Process = tuple[str, int]


def run_sweep(checked: Plan, output: Output) -> int:
    """Makes all runs, shows the result of each, and of a search what was found."""
    searches = checked.sweeper is not None and not checked.sweeper.grid
    task = _Task(output, None if searches else len(checked.runs), searches, _this_process())
    swept = sweep(checked, task, options=_towards(checked, output) if searches else ())
    for directory in map(short, swept.runs):
        if directory not in task.told and (final := RunDirectory.open(directory).final()):
            output.final({**final, "directory": str(directory)})
    if searches and not output.quiet:
        _tell_found(swept)
    if swept.runs or task.told:
        output.page(short(swept.folder))
    return 0


@dataclass(frozen=True, slots=True)
class _Task:
    """One job, in whatever process the launcher makes it. told: runs whose results were shown, of this process alone.

    count: of all jobs; None where nobody knows. searches: whether its validation is asked for. home: where results are
    shown at once; elsewhere words of several jobs would mix.
    """

    output: Output
    count: int | None
    searches: bool
    home: Process
    told: list[Path] = field(default_factory=list)

    def __call__(self, config: Config, absolute: Path, number: int) -> float | None:
        directory, here = short(absolute), _this_process() == self.home
        output = self.output if here else Output(json=False, quiet=True)
        if not self.output.quiet:
            of = f" of {self.count}" if self.count else ""
            print(f"run {number + 1}{of}: {directory}", file=sys.stderr, flush=True)
        final = attempt(output, directory, lambda runner, show: runner.run(runner.build(config), directory, show=show))
        if final is None:
            raise KeyboardInterrupt
        if here:
            self.told.append(directory)
            output.final(final)
        check_judged(final)
        return judged_by(final, config["metric"])[1] if self.searches else None


def _towards(checked: Plan, output: Output) -> list[str]:
    """Has a sweeper that searches do so in the direction of what validation is judged by."""
    config = checked.runs[0].config
    higher = higher_is_better("hydra/sweeper", config["metric"] or USUAL[0], [config])
    override = checked.sweeper.towards(higher=higher) if checked.sweeper else None
    judging = f"val.{config['metric']}" if config["metric"] else "the usual metric of validation"
    better = f"{judging}, {direction_name(higher)} is better"
    if override is None:
        print(f"the sweeper is given {better}", file=sys.stderr)
        return []
    given = [each for each in checked.overrides if key_of(each) == key_of(override)]
    if given and given[-1].lstrip("+") != override:
        raise refuse(key_of(override), override.partition("=")[2], given[-1].partition("=")[2], f"Judged is {better}.")
    if not output.quiet:
        print(f"{override}: judged is {better}", file=sys.stderr)
    return [override]


def _tell_found(swept: SweepResult) -> None:
    found = short(swept.folder) / FOUND
    if found.is_file():
        print(f"{found}:\n{found.read_text(encoding='utf-8').rstrip()}", file=sys.stderr)


def _this_process() -> Process:
    return node(), os.getpid()
