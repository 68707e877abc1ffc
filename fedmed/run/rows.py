"""From a round's result to the rows that are kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from fedmed.flower.messages import flat
from fedmed.flower.rounds import RoundResult, Row, mean_loss
from fedmed.metric_direction import HIGHER_IS_BETTER, Directions, worst

INNER = "inner."
"""What the names of audited values begin with on their way from the client."""


def round_row(result: RoundResult, directions: Directions = HIGHER_IS_BETTER) -> Row:
    """One row for the round: losses, cost, and after an evaluation every metric of every scope.

    directions: of all metrics that have one; of the others no client is the worst.
    """
    row: Row = {"round": result.round, "loss": mean_loss(result.clients), "clients": len(result.clients)}
    row |= {"asked": result.selected} | _missing(result)
    if result.simulated is not None:
        row["simulated_seconds"] = result.simulated
    if result.spent is not None:
        row |= {"epsilon": result.spent.epsilon, "delta": result.spent.delta}
    row |= {"bytes.up": result.up, "bytes.down": result.down, "seconds": sum(result.seconds.values())}
    row |= {f"seconds.{stage}": seconds for stage, seconds in result.seconds.items()}
    row |= result.server
    row |= _over_clients(result.evaluated, "test", "client", directions)
    row |= _together(result, "val") | _together(result, "audit")
    return row | _over_clients(result.clients, "adapted", "adapted", directions)


def _missing(result: RoundResult) -> Row:
    """How many of the selected clients are not in the mean, by why; nothing where all are."""
    return {why: n for why in ("dropout", "late", "fault") if (n := sum(why in row for row in result.missing))}


def client_rows(result: RoundResult) -> list[Row]:
    """One row per client that was selected or evaluated; its own test metrics are named `client.<metric>`."""
    rows: dict[float | int, Row] = {
        row["client"]: {"round": result.round, **{n: v for n, v in row.items() if not n.startswith(INNER)}}
        for row in [*result.clients, *result.missing]
    }
    for evaluated in result.evaluated:
        row = rows.setdefault(evaluated["client"], {"round": result.round, "client": evaluated["client"]})
        row |= {_renamed(name): value for name, value in evaluated.items() if "." in name}
    return [rows[client] for client in sorted(rows)]


def audit_rows(result: RoundResult, completeness: Sequence[float]) -> list[Row]:
    """One row per client whose method was audited: `<member>.<name>`, beside the client's true completeness."""
    rows = [{n.removeprefix(INNER): v for n, v in row.items() if n.startswith(INNER)} for row in result.clients]
    return [
        {"round": result.round, "client": row["client"], "completeness": completeness[int(row["client"])], **inner}
        for row, inner in zip(result.clients, rows, strict=True)
        if inner
    ]


def _renamed(name: str) -> str:
    return f"client.{name.removeprefix('test.')}" if name.startswith("test.") else name


def _over_clients(rows: Sequence[Row], prefix: str, scope: str, directions: Directions) -> Row:
    """`<scope>.mean.<metric>` and `<scope>.worst.<metric>` over the clients for which the metric is defined.

    Where it is not for some, both say so: `.defined` clients `.of` all.
    """
    out: Row = {}
    for metric in _metrics(rows, prefix):
        values = [row[f"{prefix}.{metric}"] for row in rows if _defined(row, f"{prefix}.{metric}")]
        if values:
            found = {f"{scope}.mean.{metric}": sum(values) / len(values)}
            if metric in directions:
                found[f"{scope}.worst.{metric}"] = worst(values, higher=directions[metric])
            out |= found | rests(found, len(values), len(rows))
    return out


def rests(names: Iterable[str], defined: int, of: int) -> Row:
    """What the figures rest on; nothing where that is everything."""
    counts = {"defined": defined, "of": of} if defined < of else {}
    return {f"{name}.{what}": count for name in names for what, count in counts.items()}


def _together(result: RoundResult, name: str) -> Row:
    """All clients' images of a kind together; what was not pooled as a mean over clients."""
    means, pooled = _weighted(result.evaluated, name), result.pooled.get(name)
    if pooled is None:
        return means
    known = {metric for metric in means if metric.split(".")[1] in (*pooled.values, *pooled.defined)}
    return {metric: value for metric, value in means.items() if metric not in known} | flat(name, pooled)


def _weighted(rows: Sequence[Row], prefix: str) -> Row:
    """Mean over the clients for which a metric is defined, weighted by their annotated images."""
    out: Row = {}
    for metric in _metrics(rows, prefix):
        name = f"{prefix}.{metric}"
        pairs = [(row[name], row[f"{prefix}.num-examples"]) for row in rows if _defined(row, name)]
        if total := sum(weight for _, weight in pairs):
            out[name] = sum(value * weight for value, weight in pairs) / total
            out |= rests([name], len(pairs), len(rows))
    return out


def _metrics(rows: Iterable[Mapping[str, float | int]], prefix: str) -> list[str]:
    names = dict.fromkeys(n.removeprefix(f"{prefix}.") for row in rows for n in row if n.startswith(f"{prefix}."))
    return [name for name in names if "." not in name and name != "num-examples"]


def _defined(row: Mapping[str, float | int], name: str) -> bool:
    return name in row and isfinite(row[name])
