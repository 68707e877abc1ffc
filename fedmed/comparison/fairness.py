"""How evenly a metric falls on clients: spread, worst client, deciles, and Jain's index.

Jain, Chiu and Hawe, A Quantitative Measure of Fairness, DEC Research Report TR-301, 1984 (arXiv:cs/9809099).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, pstdev

import numpy as np

from fedmed.comparison.rows import ClientRow
from fedmed.comparison.runs import ComparedRun

DECILES = tuple(range(10, 100, 10))


def jain(values: Sequence[float]) -> float:
    """(sum x)^2 / (n sum x^2): 1 where all are alike, 1 / n where one has everything; 1 where all are 0."""
    squares = sum(value * value for value in values)
    return float(sum(values) ** 2 / (len(values) * squares)) if squares else 1.0


def last_by_client(run: ComparedRun, metric: str) -> dict[int, float | None]:
    """The metric (`auc`) of every evaluated client in the last round in which any has it; empty where none ever has."""
    name = f"client.{metric}"
    last = max((row["round"] for row in run.clients if _defined(row.get(name))), default=None)
    rows = [row for row in run.clients if row["round"] == last and any(key.startswith("client.") for key in row)]
    return {int(row["client"]): row[name] if _defined(row.get(name)) else None for row in rows}


def last_values(run: ComparedRun, metric: str) -> list[float]:
    """The metric of every client that has it in the last evaluated round."""
    return [float(value) for value in last_by_client(run, metric).values() if value is not None]


def client_row(
    runs: Sequence[ComparedRun], *, world: str, arm: str, metric: str, greater: bool, federated: bool
) -> ClientRow | None:
    """The means over runs; None unless some run has the metric for two clients or more."""
    found = [values for run in runs if len(values := last_values(run, metric)) > 1]
    if not found:
        return None
    worst = min if greater else max
    return ClientRow(
        world=world,
        arm=arm,
        metric=f"client.{metric}",
        federated=federated,
        n=len(found),
        clients=fmean(map(len, found)),
        of=fmean(len(last_by_client(run, metric)) for run in runs if len(last_values(run, metric)) > 1),
        mean=fmean(map(fmean, found)),
        sd=fmean(map(pstdev, found)),
        worst=fmean(map(worst, found)),
        jain=fmean(map(jain, found)),
        deciles=_deciles(found),
    )


def _deciles(found: Sequence[Sequence[float]]) -> tuple[float, ...]:
    rows = [np.percentile(values, DECILES) for values in found]
    return tuple(float(value) for value in np.mean(rows, axis=0))


def _defined(value: float | None) -> bool:
    return value is not None and isfinite(value)
