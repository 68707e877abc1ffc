"""What figures rest on: means over clients, domains, groups, classes or masks of which some have no value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TypedDict

from fedmed.comparison.fairness import last_by_client
from fedmed.comparison.rows import Row
from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.formatting import defined_share, first_few
from fedmed.metric_direction import FOUND_ONLY

OVER = ("mean", "worst", "spread", "gap")
"""What there is over all clients, domains or groups."""


class DefinedCounts(TypedDict):
    """How many have a value, and how many there are, mean over seeds; None where all have or nobody knows."""

    defined: float | None
    of: float | None


def defined_counts(comparison: Comparison, world: str, arm: str, metric: str) -> DefinedCounts:
    """The counts of an arm in a world, over those of its runs that tell them."""
    defined, of = (comparison.values(world, arm, f"{metric}.{count}") for count in ("defined", "of"))
    if not defined or not of:
        return {"defined": None, "of": None}
    return {"defined": fmean(defined.values()), "of": fmean(of.values())}


def rankable(comparison: Comparison, world: str, metric: str) -> bool:
    """Whether arms may be ranked by the metric: not by distances of what was found, where anybody missed something."""
    if metric.rpartition(".")[2] not in FOUND_ONLY:
        return True
    counts = [
        defined_counts(comparison, world, arm, metric)
        for arm in comparison.arms
        if comparison.values(world, arm, metric)
    ]
    return all(each["of"] is not None and each["defined"] == each["of"] for each in counts)


def missing_value_notes(comparison: Comparison, rows: Sequence[Row], metric: str) -> Iterator[str]:
    """Sentences about means that leave something out, and about those over others (clients, groups) in other arms."""
    mine = [row for row in rows if row.metric == metric]
    for world in comparison.worlds:
        here = [row for row in mine if row.world == world]
        if left := [
            f"{row.arm}{defined_share(row.defined, row.of)}" for row in here if defined_share(row.defined, row.of)
        ]:
            yield f"{metric} in {world} is not defined everywhere, and a mean over where it is: {first_few(left)}."
        if not rankable(comparison, world, metric):
            yield (
                f"Nothing is marked or ranked by {metric} in {world}: masks that were missed or made up have no "
                "distance and are left out, so whoever finds least may look best. "
                f"{metric}_penalised counts the image's diagonal for each (--metric)."
            )
        yield from _other(comparison, world, [row.arm for row in here if row.federated], metric)


def _other(comparison: Comparison, world: str, arms: Sequence[str], metric: str) -> Iterator[str]:
    """Arms whose means are not over the same clients, domains or groups as the first arm's, seed by seed."""
    scope, _, name = metric.rpartition(".")
    over, _, what = scope.rpartition(".")
    kind = over.partition(".")[0]
    if kind not in ("client", "domain", "group") or what not in OVER:
        return
    odd = set()
    for seed in comparison.seeds:
        runs = {arm: comparison.runs[world, arm, seed] for arm in arms if (world, arm, seed) in comparison.runs}
        sets = {arm: _defined(run, over, name) for arm, run in runs.items()}
        odd |= {arm for arm, found in sets.items() if found != next(iter(sets.values()))}
    if odd:
        yield f"{metric} in {world} is not over the same {kind}s as that of {arms[0]}: {first_few(sorted(odd))}."


def _defined(run: ComparedRun, over: str, metric: str) -> frozenset[str]:
    """The clients, domains or groups for which the metric is defined. over: `client`, `domain` or `group.sex`."""
    if over == "client":
        return frozenset(str(client) for client, value in last_by_client(run, metric).items() if value is not None)
    names = (name for name, value in run.final.items() if name.startswith(f"{over}.") and value is not None)
    return frozenset(name for name in names if name.endswith(f".{metric}"))
