"""What it takes to reach a target: rounds, bytes and seconds.

A run that never gets there is censored: it counts as longer than every other, so the median over runs stays right, and
has no value where half of the runs or more are censored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from statistics import fmean, median
from typing import Any, NamedTuple, TypeGuard

from fedmed.comparison.rows import TargetRow
from fedmed.comparison.runs import ComparedRun

SHARE = 0.95
"""Of the reference's final mean: the target where none is given."""


class Cost(NamedTuple):
    """Of a run's first rounds: how many, bytes up and down, seconds of its clock."""

    rounds: float
    bytes: float
    seconds: float


def default_target(reference: float, greater: bool) -> float:
    """95 % of what the reference ends with; for a loss, as much above it; as far off where it is negative."""
    if reference < 0:
        return reference / SHARE if greater else reference * SHARE
    return reference * SHARE if greater else reference / SHARE


def evaluations(run: ComparedRun, metric: str) -> int:
    """In how many rounds the metric is known."""
    return sum(_defined(row.get(metric)) for row in run.rounds)


def has_clock(run: ComparedRun) -> bool:
    """Whether the run has seconds of a simulated clock."""
    return run.final.get("simulated_seconds") is not None


def reach(run: ComparedRun, metric: str, target: float, *, greater: bool, simulated: bool) -> Cost:
    """The cost up to and with the first evaluated round that reaches the target; infinite where none does."""
    rows = run.rounds
    for number, row in enumerate(rows, 1):
        if _defined(value := row.get(metric)) and (value >= target if greater else value <= target):
            return _cost(rows[:number], simulated)
    return Cost(inf, inf, inf)


def target_row(
    runs: Sequence[ComparedRun], *, world: str, arm: str, metric: str, target: float, greater: bool, simulated: bool
) -> TargetRow:
    """The medians over runs to reach the target, and the means of whole runs."""
    found = [reach(run, metric, target, greater=greater, simulated=simulated) for run in runs]
    whole = [_cost(run.rounds, simulated) for run in runs]
    return TargetRow(
        world=world,
        arm=arm,
        metric=metric,
        target=target,
        n=len(runs),
        reached=sum(isfinite(cost.rounds) for cost in found),
        rounds=_median([cost.rounds for cost in found]),
        bytes=_median([cost.bytes for cost in found]),
        seconds=_median([cost.seconds for cost in found]),
        all_rounds=fmean(cost.rounds for cost in whole),
        all_bytes=fmean(cost.bytes for cost in whole),
        all_seconds=fmean(cost.seconds for cost in whole),
        clock="simulated" if simulated else "wall",
    )


def _cost(rows: Sequence[Mapping[str, Any]], simulated: bool) -> Cost:
    clock = "simulated_seconds" if simulated else "seconds"
    total = sum((row.get("bytes.up") or 0) + (row.get("bytes.down") or 0) for row in rows)
    return Cost(len(rows), total, sum(row.get(clock) or 0 for row in rows))


def _median(values: Sequence[float]) -> float | None:
    middle = median(values)
    return middle if isfinite(middle) else None


def _defined(value: float | None) -> TypeGuard[float]:
    return value is not None and isfinite(value)
