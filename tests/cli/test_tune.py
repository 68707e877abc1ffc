from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from fedmed.cli import tune
from fedmed.cli.main import main
from fedmed.tuning.plan import Candidate, TuningPlan
from fedmed.tuning.search import Trial
from fedmed.tuning.tune import TuningResult

HERE = Path("runs/here")


def candidate(strategy: str) -> Candidate:
    shared = ("experiment=smoke", "model.norm=batch")
    return Candidate(strategy=strategy, members=(strategy,), axes=(), overrides=shared, defaults={})


def found(strategy: str, *overrides: str) -> TuningResult:
    """A strategy that was tuned; where no overrides are given, all of whose trials have failed."""
    trial = Trial(number=0, overrides=overrides, value=0.75 if overrides else None, why="" if overrides else "it broke")
    return TuningResult(candidate=candidate(strategy), tried=(trial,), best=trial if overrides else None)


def tuning(*outcomes: TuningResult) -> TuningPlan:
    return TuningPlan(
        candidates=tuple(outcome.candidate for outcome in outcomes),
        shared=("experiment=smoke", "model.norm=batch"),
        budget=1,
        seeds=("100",),
        metric=None,
        workers=1,
        digest="0",
    )


def commands(*outcomes: TuningResult) -> list[str]:
    return tune.comparison(outcomes, tuning(*outcomes), HERE)


def test_the_comparison_has_the_chosen_values_and_other_seeds() -> None:
    assert commands(found("fedavg", "epochs=2"), found("fedprox", "strategy.fedprox.mu=0.5", "epochs=2")) == [
        "fedmed compare strategy=fedavg,fedprox experiment=smoke model.norm=batch epochs=2 strategy.fedprox.mu=0.5"
        " seed=0,1,2,3,4"
    ]


def test_strategies_with_values_of_their_own_are_compared_by_a_command_each() -> None:
    avg, prox, both = commands(found("fedavg", "optimizer.lr=0.1"), found("fedprox", "optimizer.lr=0.2"))
    own = "fedmed compare --runs=runs/here_compare strategy={} experiment=smoke model.norm=batch optimizer.lr={}"
    assert avg == own.format("fedavg", 0.1) + " seed=0,1,2,3,4"
    assert prox == own.format("fedprox", 0.2) + " seed=0,1,2,3,4"
    assert both == "fedmed compare --from runs/here_compare"


def test_a_strategy_all_of_whose_trials_failed_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [found("fedavg", "epochs=2"), found("scaffold")]
    tune._tell(outcomes, tuning(*outcomes), "val.auc", HERE, json=False)
    said = capsys.readouterr().out
    assert "strategy=fedavg experiment=smoke" in said
    assert "none; the last one failed: it broke" in said
    assert commands(found("scaffold")) == []


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [found("fedavg", "epochs=2"), found("scaffold")]
    tune._tell(outcomes, tuning(*outcomes), "val.auc", HERE, json=True)
    told: Any = json.loads(capsys.readouterr().out)
    assert told["strategies"]["fedavg"] == {"trials": 1, "failed": 0, "value": 0.75, "overrides": ["epochs=2"]}
    assert told["strategies"]["scaffold"] == {"trials": 1, "failed": 1, "value": None, "overrides": None}


def test_faults_exit_with_2_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "strategy=fedprox", "strategy.mu=1..0"]) == 2
    assert "strategy.mu: expected a range from a lower to a higher number" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_search_from_the_command_to_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["tune", "experiment=smoke", "strategy=fedprox", "strategy.mu=0.001..1:log", "optimizer.lr=0.01..1000:log"]
    assert main([*words, "budget=3", "--workers", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["strategies"]["fedprox"]["trials"] == 3
    assert told["strategies"]["fedprox"]["failed"] > 0
    kept = list(Path(told["directory"]).glob("runs/*/final.json"))
    assert told["strategies"]["fedprox"]["value"] == max(
        json.loads(file.read_text(encoding="utf-8"))["val.auc"] for file in kept
    )
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json*")}
    assert main([*words, "budget=3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json*")} == before
