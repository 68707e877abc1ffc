"""What a tuning has found."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna")

from fedmed.tuning.plan import Candidate, TuningPlan
from fedmed.tuning.result import Tuning, TuningResult
from fedmed.tuning.search import Trial

HERE = Path("runs/here")
SHARED = ("experiment=smoke", "model.norm=batch")


def found(strategy: str, *overrides: str) -> TuningResult:
    """A strategy that was tuned; where no overrides are given, all of whose trials have failed."""
    candidate = Candidate(strategy=strategy, members=(strategy,), axes=(), overrides=SHARED, defaults={})
    trial = Trial(number=0, overrides=overrides, value=0.75 if overrides else None, why="" if overrides else "it broke")
    return TuningResult(candidate=candidate, tried=(trial,), best=trial if overrides else None)


def tuning(*results: TuningResult) -> Tuning:
    plan = TuningPlan(
        candidates=tuple(result.candidate for result in results),
        shared=SHARED,
        budget=1,
        seeds=("100",),
        metric=None,
        workers=1,
        digest="0",
    )
    return Tuning(plan=plan, folder=HERE, metric="val.auc", results=results)


def test_the_comparison_has_the_chosen_values_and_other_seeds() -> None:
    assert tuning(found("fedavg", "epochs=2"), found("fedprox", "strategy.fedprox.mu=0.5", "epochs=2")).commands == [
        "fedmed compare strategy=fedavg,fedprox experiment=smoke model.norm=batch epochs=2 strategy.fedprox.mu=0.5"
        " seed=0,1,2,3,4"
    ]


def test_strategies_with_values_of_their_own_are_compared_by_a_command_each() -> None:
    avg, prox, both = tuning(found("fedavg", "optimizer.lr=0.1"), found("fedprox", "optimizer.lr=0.2")).commands
    own = "fedmed compare --runs=runs/here_compare strategy={} experiment=smoke model.norm=batch optimizer.lr={}"
    assert avg == own.format("fedavg", 0.1) + " seed=0,1,2,3,4"
    assert prox == own.format("fedprox", 0.2) + " seed=0,1,2,3,4"
    assert both == "fedmed compare --from runs/here_compare"


def test_a_strategy_all_of_whose_trials_failed_is_not_compared() -> None:
    (command,) = tuning(found("fedavg", "epochs=2"), found("scaffold")).commands
    assert command.startswith("fedmed compare strategy=fedavg experiment=smoke")
    assert tuning(found("scaffold")).commands == []


def test_the_facts_are_plain_values() -> None:
    both = tuning(found("fedavg", "epochs=2"), found("scaffold"))
    assert not both.succeeded
    assert both.facts["strategies"] == {
        "fedavg": {"trials": 1, "failed": 0, "value": 0.75, "overrides": ("epochs=2",)},
        "scaffold": {"trials": 1, "failed": 1, "value": None, "overrides": None},
    }
