"""A sweep of Hydra's as a piece of work: what a search gets of each job, and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fedmed.campaign.judge import USUAL, higher_is_better, judged_by
from fedmed.config.compose import Plan
from fedmed.config.grammar import key_of
from fedmed.config.sweeping import SweepResult, sweep
from fedmed.config.values import Config
from fedmed.errors import refuse
from fedmed.metric_direction import direction_name
from fedmed.rundir.final import Final, refuse_diverged

RunJob = Callable[[Config, Path, int], Final]
"""Does one job: its config, its directory, its number from 0. Launchers may pickle it and call it elsewhere."""


class SearchDirection(NamedTuple):
    """Which way is better in a search by validation.

    override: has the sweeper search that way; empty where it is not known how. better: what is judged, in words.
    """

    override: str
    better: str


def search_direction(plan: Plan) -> SearchDirection:
    """The direction in which a search is judged; raises `UserError` where its options say the other one."""
    config = plan.runs[0].config
    higher = higher_is_better("hydra/sweeper", config["metric"] or USUAL[0], [config])
    override = plan.sweeper.direction_override(higher=higher) if plan.sweeper else None
    judging = f"val.{config['metric']}" if config["metric"] else "the usual metric of validation"
    better = f"{judging}, {direction_name(higher)} is better"
    given = [each for each in plan.overrides if override and key_of(each) == key_of(override)]
    if override and given and given[-1].lstrip("+") != override:
        raise refuse(key_of(override), override.partition("=")[2], given[-1].partition("=")[2], f"Judged is {better}.")
    return SearchDirection(override or "", better)


def run_sweep(plan: Plan, run: RunJob, direction: SearchDirection | None = None) -> SweepResult:
    """Does all jobs of a sweep, wherever its launcher does them; raises what the first failed job raised.

    direction: of a sweep that searches; each job then returns to it what validation says.
    """
    options = [direction.override] if direction and direction.override else []
    return sweep(plan, _Job(run, searches=direction is not None), options=options)


@dataclass(frozen=True, slots=True)
class _Job:
    """One job, in whatever process it is done."""

    run: RunJob
    searches: bool

    def __call__(self, config: Config, directory: Path, number: int) -> float | None:
        final = self.run(config, directory, number)
        refuse_diverged(final)
        return judged_by(final, config["metric"])[1] if self.searches else None
