"""The first sentence says what won, by how much, and how sure that is: for each way that it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.rows import Ranking, Row, Summary
from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.report import conclusions


def row(arm: str, mean: float, world: str = "w", **rest: Any) -> Row:
    return Row(**{"world": world, "arm": arm, "metric": "test.auc", "n": 5, "mean": mean, **rest})


def summary(*rows: Row, ranking: Ranking | None = None, final: dict[str, Any] | None = None) -> Summary:
    arms, worlds = (tuple(dict.fromkeys(getattr(r, name) for r in rows)) for name in ("arm", "world"))
    seeds = range(rows[0].n)
    runs = {
        (w, a, s): ComparedRun(path=Path("x"), seed=s, config={}, final={"rounds": 3, **(final or {})})
        for w in worlds
        for a in arms
        for s in seeds
    }
    comparison = Comparison(
        worlds=worlds, arms=arms, seeds=tuple(seeds), runs=runs, metric="auc", reference=arms[0], greater=True
    )
    return Summary(
        comparison=comparison, metrics=("test.auc",), rows=rows, clients=(), targets=(), ranking=ranking, notes=()
    )


SURE = {"difference": 0.05, "dlow": 0.03, "dhigh": 0.07, "p": 0.001, "p_holm": 0.002, "mark": "best"}


def test_a_winner_that_is_significant() -> None:
    claim, details = conclusions.headline(summary(row("fedavg", 0.8), row("fedia", 0.85, **SURE)))
    assert claim == "fedia reaches the highest test AUC, 0.850: 0.050 above fedavg, and significantly so."
    assert details == "95 % interval of the paired difference [+0.030, +0.070], p = 0.002 after Holm's correction."


def test_a_winner_that_may_be_chance_and_who_else_may_be_the_best() -> None:
    rows = [
        row("fedavg", 0.8, mark="near"),
        row("fedia", 0.85, **{**SURE, "p_holm": 0.2}),
        row("moon", 0.84, mark="near"),
    ]
    claim, details = conclusions.headline(summary(*rows))
    assert (
        claim == "fedia reaches the highest test AUC, 0.850: 0.050 above fedavg, which 5 seeds cannot tell from chance."
    )
    assert details.endswith("Not significantly worse: moon.")


def test_too_few_seeds_claim_nothing() -> None:
    rows = [row("fedavg", 0.8, n=2), row("fedia", 0.85, n=2, difference=0.05)]
    assert conclusions.headline(summary(*rows))[0].endswith("but 2 seeds cannot tell whether that is chance.")


@pytest.mark.parametrize(
    ("mark", "end"), [("near", "; fedia is not significantly worse."), ("", ", significantly more than any other.")]
)
def test_a_reference_that_wins(mark: Any, end: str) -> None:
    claim, _ = conclusions.headline(summary(row("fedavg", 0.9, mark="best"), row("fedia", 0.85, mark=mark)))
    assert claim == f"fedavg reaches the highest test AUC, 0.900{end}"


def test_a_pooled_reference_never_wins() -> None:
    rows = [row("fedavg", 0.8, mark="best"), row("pooled", 0.99, federated=False)]
    assert conclusions.headline(summary(*rows))[0] == "fedavg reaches the highest test AUC, 0.800."


def test_one_run_has_the_interval_of_its_test_images() -> None:
    claim, details = conclusions.headline(
        summary(row("fedavg", 0.8, n=1), final={"test.auc.low": 0.7, "test.auc.high": 0.9})
    )
    assert (claim, details) == ("fedavg reaches a test AUC of 0.800 (95 % interval [0.700, 0.900]).", "")


def test_several_worlds_are_counted_and_ranked() -> None:
    rows = [row(arm, mean, world) for world in "abc" for arm, mean in (("fedavg", 0.8), ("fedia", 0.9))]
    rows[5] = row("fedia", 0.7, "c")
    ranking = Ranking(metric="test.auc", arms=("fedia", "fedavg"), ranks=(1.33, 1.67), worlds=("a", "b", "c"), p=0.5)
    claim, details = conclusions.headline(summary(*rows, ranking=ranking))
    assert claim == "The highest test AUC goes to fedia in 2 of 3 worlds, fedavg in 1."
    assert details == "fedia has the best average rank, 1.33; ranks do not differ significantly (Friedman, p = 0.500)."


def test_a_method_that_wins_everywhere() -> None:
    rows = [row(arm, mean, world) for world in "ab" for arm, mean in (("fedavg", 0.8), ("fedia", 0.9))]
    assert conclusions.headline(summary(*rows)) == ("fedia reaches the highest test AUC in all 2 worlds.", "")


def test_a_metric_that_nobody_has_is_said() -> None:
    assert conclusions.headline(summary(row("fedavg", 0.8), row("b", 0.9)))[0].startswith("b reaches")
    nothing = summary(Row(world="w", arm="a", metric="test.auc", n=1), Row(world="w", arm="b", metric="test.auc", n=1))
    assert conclusions.headline(nothing)[0] == "No federated arm has a test AUC."
