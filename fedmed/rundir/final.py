"""The result of a run: flat final metrics from its rows, from which others read how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from fedmed.errors import refuse
from fedmed.metric_direction import HIGHER_IS_BETTER, Directions

Row = Mapping[str, Any]
Final = dict[str, float | int | str | None]

SCOPES = ("test.", "val.", "audit.", "client.", "adapted.")
"""What the names of evaluation results begin with."""


def summarise(
    rounds: Sequence[Row],
    clients: Sequence[Row],
    *,
    metric: str,
    seconds: float,
    directory: Path,
    directions: Directions = HIGHER_IS_BETTER,
) -> Final:
    """The final metrics, flat.

    rounds: rows with `round`, `loss`, `seconds`, `bytes.up`, `bytes.down`, and after an evaluation `test.<metric>`,
        `val.<metric>`, `client.mean.<metric>`, `client.worst.<metric>`, `adapted.mean.<metric>`, ...
    clients: rows with `round`, `client`, and after an evaluation `client.<metric>`.
    metric: the metric (`auc`) that chooses the best round (by validation) and the worst client, by its direction.
    seconds: of the run.
    """
    last = rounds[-1] if rounds else {}
    return {
        **_evaluation(last),
        "client.worst.id": _worst_client(clients, last.get("round"), metric, higher=directions[metric]),
        **_best(rounds, metric, "val", directions),
        **_best_by_truth(rounds, metric, directions),
        "bytes.up": sum(row.get("bytes.up") or 0 for row in rounds),
        "bytes.down": sum(row.get("bytes.down") or 0 for row in rounds),
        **_simulated(rounds),
        **{name: rounds[-1][name] for name in ("epsilon", "delta") if rounds and name in rounds[-1]},
        "rounds": rounds[-1]["round"] if rounds else 0,
        "seconds": seconds,
        "seconds.per_round": median(row["seconds"] for row in rounds) if rounds else None,
        "directory": str(directory),
    }


def _simulated(rounds: Sequence[Row]) -> Final:
    """Seconds of the simulated clock over all rounds; nothing where none runs."""
    clock = [row["simulated_seconds"] for row in rounds if "simulated_seconds" in row]
    return {"simulated_seconds": sum(clock)} if clock else {}


def judge(rounds: Sequence[Row], metric: str, labels: str = "val") -> str:
    """The metric that judges rounds: the loss, where the chosen one is defined in none of them and the loss is."""
    known = {name for row in rounds for name in (metric, "loss") if defined(row.get(f"{labels}.{name}"))}
    return "loss" if known == {"loss"} else metric


def best_round(
    rounds: Sequence[Row], metric: str, labels: str = "val", *, directions: Directions = HIGHER_IS_BETTER
) -> Row | None:
    """The first row with the best `val.<metric>`, or `val.loss` where no round has that; None where none has either.

    labels: val for the validation labels as given, audit for the true ones.
    """
    used = judge(rounds, metric, labels)
    name = f"{labels}.{used}"
    rated = [row for row in rounds if defined(row.get(name))]
    best = max if directions[used] else min
    return best(rated, key=lambda row: float(row[name])) if rated else None


def _evaluation(row: Row) -> Row:
    found = {name: value for name, value in row.items() if name.startswith(SCOPES)}
    return found if any(map(defined, found.values())) else {}


def _best(rounds: Sequence[Row], metric: str, labels: str, directions: Directions) -> Final:
    row = best_round(rounds, metric, labels, directions=directions)
    if row is None:
        return {"best.round": None}
    by = f"{labels}.{judge(rounds, metric, labels)}"
    return {
        "best.round": row["round"],
        "best.by": by,
        **{f"best.{name}": value for name, value in _evaluation(row).items()},
    }


def _best_by_truth(rounds: Sequence[Row], metric: str, directions: Directions) -> Final:
    """The round that true validation labels would have chosen, and its test metrics: for audit only."""
    found = _best(rounds, metric, "audit", directions)
    return {f"audit.{n}": v for n, v in found.items() if v is not None and n.startswith(("best.round", "best.test."))}


def _worst_client(clients: Sequence[Row], round: int | None, metric: str, *, higher: bool) -> int | None:
    name = f"client.{metric}"
    rated = [row for row in clients if row["round"] == round and defined(row.get(name))]
    worst = min if higher else max
    return int(worst(rated, key=lambda row: float(row[name]))["client"]) if rated else None


def defined(value: float | None) -> bool:
    """Whether a metric has a value, and a finite one."""
    return value is not None and isfinite(value)


def measured(final: Mapping[str, Any]) -> bool:
    """Whether any metric of the last evaluation has a value."""
    return any(defined(final[name]) for name in final if name.startswith(SCOPES) and name != "client.worst.id")


def diverged(final: Mapping[str, Any]) -> bool:
    """Whether the last model was evaluated and not one metric has a value, as its outputs are not finite."""
    return not measured(final) and any(name.startswith(SCOPES) and name.endswith(".loss") for name in final)


def refuse_diverged(final: Mapping[str, Any]) -> None:
    """Raises `UserError` where a run's last model is of no use."""
    if diverged(final):
        fix = "Training diverged: lower optimizer.lr, set clip_norm, or normalise the images (dataset.normalise)."
        raise refuse(str(final["directory"]), "a last model with finite outputs", "one without", fix)
