"""The metric by which runs are judged: checked before any of them is made, and read from their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import nan
from statistics import fmean
from typing import Any

from fedmed.config.values import Config
from fedmed.errors import UserError, near, refuse
from fedmed.metric_direction import DEFAULT_METRIC, HIGHER_IS_BETTER, SCOPES, ScopedMetric, worst
from fedmed.options.code import resolve
from fedmed.rundir.final import defined

USUAL = tuple(dict.fromkeys(DEFAULT_METRIC.values()))
"""The metrics by which a task is judged where none is named."""


def higher_is_better(where: str, metric: str, configs: Iterable[Config]) -> bool:
    """Whether a higher value of the metric is better in runs of the configs; imports the user's own metrics for it.

    where: what ranks by it. Raises `UserError` where no run has it or its function declares no direction.
    """
    if metric in HIGHER_IS_BETTER:
        return HIGHER_IS_BETTER[metric]
    from fedmed.metrics import declared, undeclared

    own = {str(path): resolve(str(path)) for config in configs for path in config.get("metrics") or ()}
    names, found = {function.__name__ for function in own.values()}, declared(own.values())
    if metric not in names:
        raise refuse(where, "a metric of these runs", metric, near(metric, {*HIGHER_IS_BETTER, *names}))
    if metric not in found:
        raise UserError(undeclared(where, metric))
    return found[metric]


def check_metric(where: str, metric: str | None, configs: Iterable[Config]) -> None:
    """Raises `UserError` where runs of the configs have no such metric, or it says no direction.

    where: what asks for it. metric: `auc` or `client.worst.auc`; None for the runs' own, which needs no check.
    """
    if metric is None:
        return
    asked = ScopedMetric.of(metric)
    if asked.scope and not asked.known:
        scopes = [f"{each}.{asked.metric}" for each in (*SCOPES, "domain.<name>", "group.<attribute>.worst")]
        raise refuse(where, "a metric, or one of a scope", metric, near(metric, scopes))
    higher_is_better(where, asked.metric, configs)


def judged_over_clients(
    rows: Sequence[Mapping[str, Any]], metric: str, scope: str, *, higher: bool
) -> tuple[str, float]:
    """What validation at clients in the last round says, and its name; NaN where it defines the metric for nobody.

    rows: of clients (`RunDirectory.rows`). scope: `client.mean` or `client.worst`. higher: whether a higher value of
    the metric is better. Raises `UserError` where nothing was validated.
    """
    last = max((row["round"] for row in rows), default=0)
    mine = [row for row in rows if row["round"] == last]
    if not any("val.loss" in row for row in mine):
        raise _unvalidated(f"val.{metric} of clients")
    values = [row[f"val.{metric}"] for row in mine if defined(row.get(f"val.{metric}"))]
    how = fmean if scope == "client.mean" else partial(worst, higher=higher)
    return f"{scope}.val.{metric}", float(how(values)) if values else nan


def judged_by(final: Mapping[str, Any], metric: str | None) -> tuple[str, float]:
    """By what the last round of a finished run is judged, and its value; NaN where validation does not define it.

    metric: None for the task's usual one. Raises `UserError` where nothing was validated.
    """
    names = [f"val.{name}" for name in ([metric] if metric else USUAL)]
    found = next((name for name in names if name in final), None)
    if found is not None:
        return found, nan if final[found] is None else float(final[found])
    if "val.loss" in final:
        return names[0], nan  # validated, by images that do not define the metric
    raise _unvalidated(" or ".join(names))


def _unvalidated(names: str) -> UserError:
    return refuse(names, "a result to choose by", "none", "Raise dataset.val, and let scopes hold client.")
