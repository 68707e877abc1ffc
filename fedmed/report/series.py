"""Numbers that figures draw, taken from the rows of runs: over rounds, over bytes, over clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import ComparedRun, Comparison

Values = NDArray[np.float64]


class Band(NamedTuple):
    """A line with a band, all (n,): of several runs their mean, the lowest and the highest."""

    x: Values
    mean: Values
    low: Values
    high: Values


def arm_runs(comparison: Comparison, world: str, arm: str) -> list[ComparedRun]:
    """The runs of an arm in a world, by seed."""
    places = ((world, arm, seed) for seed in comparison.seeds)
    return [comparison.runs[place] for place in places if place in comparison.runs]


def by_round(runs: Iterable[ComparedRun], metric: str) -> Band | None:
    """The metric over rounds in which every run has it; None for fewer than two of them."""
    points = [{row["round"]: row[metric] for row in run.rounds if _defined(row, metric)} for run in runs]
    shared = sorted(set.intersection(*map(set, points))) if points else []
    if len(shared) < 2:
        return None
    return _band(np.array(shared, float), [[point[round] for round in shared] for point in points])


def by_bytes(runs: Sequence[ComparedRun], metric: str) -> Band | None:
    """The metric over the megabytes that have crossed so far, mean over runs; as `by_round` otherwise."""
    band = by_round(runs, metric)
    if band is None:
        return None
    crossed = [dict(zip((row["round"] for row in run.rounds), _traffic(run.rounds), strict=True)) for run in runs]
    return band._replace(x=np.array([np.mean([of[round] for of in crossed]) for round in band.x.astype(int)]) / 1e6)


def at_clients(run: ComparedRun, metric: str) -> dict[int, float]:
    """A metric of the last round in which clients were evaluated, by client; metric: as clients' rows name it."""
    rated = [row for row in run.clients if _defined(row, metric)]
    last = max((row["round"] for row in rated), default=0)
    return {int(row["client"]): float(row[metric]) for row in rated if row["round"] == last}


def client_metric(comparison: Comparison) -> str | None:
    """What clients' rows call the headline: on their own test images, else on their validation images."""
    for scope in ("client", "val"):
        name = f"{scope}.{comparison.metric}"
        if any(_defined(row, name) for run in comparison.runs.values() for row in run.clients):
            return name
    return None


def audited(runs: Iterable[ComparedRun], names: Sequence[str], total: bool = False) -> Band | None:
    """Quantities of audit rows over rounds: the mean over names, clients and runs, and the quartiles over clients.

    total: whether a client's quantities are added up instead of averaged.
    """
    found: dict[int, list[float]] = {}
    for run in runs:
        for row in run.audit:
            if values := [row[name] for name in names if _defined(row, name)]:
                found.setdefault(row["round"], []).append(sum(values) if total else sum(values) / len(values))
    if len(found) < 2:
        return None
    rounds = sorted(found)
    columns = [np.array(found[round]) for round in rounds]
    low, high = ([float(np.quantile(column, q)) for column in columns] for q in (0.25, 0.75))
    return Band(np.array(rounds, float), *map(np.array, ([column.mean() for column in columns], low, high)))


def last_pairs(runs: Iterable[ComparedRun], x: str, y: str) -> Values:
    """Two quantities of audit rows side by side, each client's last that has both, (n, 2)."""
    found: list[tuple[float, float]] = []
    for run in runs:
        last = {row["client"]: (row[x], row[y]) for row in run.audit if _defined(row, x) and _defined(row, y)}
        found += last.values()
    return np.array(found, float).reshape(-1, 2)


def _defined(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and isfinite(value)


def _traffic(rounds: Sequence[Mapping[str, Any]]) -> list[float]:
    """Bytes up and down so far, after each round."""
    return list(accumulate((row.get("bytes.up") or 0) + (row.get("bytes.down") or 0) for row in rounds))


def _band(x: Values, lines: Sequence[Sequence[float]]) -> Band:
    values = np.array(lines, float)
    return Band(x, values.mean(0), values.min(0), values.max(0))
