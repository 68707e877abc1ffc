from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from fedmed.campaign.grid import PlannedRun
from fedmed.campaign.pool import RunEvent, WorkerDied
from fedmed.campaign.worker import RunEnded, RunWarning
from fedmed.errors import UserError
from fedmed.rundir.directory import RunDirectory
from fedmed.tuning.plan import TuningPlan, read
from fedmed.tuning.tune import Tuner

MU = "strategy.fedprox.mu=0.001..1.0:log"
Judge = Callable[[Any], Any]


class NoTraining:
    """A pool that trains nothing: a run's validation is what `judge` says, and an error where that is a text."""

    def __init__(self, judge: Judge, size: int = 2) -> None:
        self.judge, self.size = judge, size
        self.busy: list[PlannedRun] = []
        self.given: list[PlannedRun] = []
        self.most = 0

    @property
    def free(self) -> bool:
        return len(self.busy) < self.size

    def give(self, job: PlannedRun) -> None:
        assert self.free
        assert job.directory not in [each.directory for each in self.busy]
        self.busy.append(job)
        self.given.append(job)
        self.most = max(self.most, len(self.busy))

    def receive(self, seconds: float) -> list[RunEvent]:
        job = self.busy.pop(0)
        outcome = self.judge(job.config)
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, RunWarning):
            self.busy.insert(0, job)
        if isinstance(outcome, (WorkerDied, RunWarning)):
            return [RunEvent(job, outcome, 1.0)]
        if isinstance(outcome, str):
            return [RunEvent(job, RunEnded(outcome), 1.0)]
        run = RunDirectory.create(job.directory, config_yaml="", identity="", environment={})
        run.finish({"val.auc": outcome, "test.auc": -outcome} if outcome is not None else {"test.auc": 1.0})
        return [RunEvent(job, RunEnded(), 1.0)]


def mu(config: Any) -> float:
    """The better the nearer mu is to 0.1; FedAvg is in between."""
    member = config["strategy"].get("fedprox")
    return 1 - abs(member["mu"] - 0.1) if member else 0.5


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> Any:
    """tune(pool, *overrides): what is found for the strategies, in the folder `here`."""
    monkeypatch.chdir(tmp_path)
    return lambda pool, *overrides: Tuner(words(*overrides), tmp_path / "here", lines.append).go(pool)


def words(*overrides: str) -> TuningPlan:
    """What the overrides ask for, on few images, with FedProx's strength searched where it takes part."""
    return read(["experiment=smoke", *([MU] if "fedprox" in overrides[0] else []), *overrides])


def test_strategies_get_the_same_budget_and_the_best_by_validation(tune: Any, lines: list[str]) -> None:
    pool = NoTraining(mu)
    avg, prox = tune(pool, "strategy=fedavg,fedprox", "budget=3", "optimizer.lr=0.01..0.05")
    assert (len(avg.tried), len(prox.tried)) == (3, 3)
    assert pool.most == 2
    assert {config["seed"] for config in (job.config for job in pool.given)} == {100}
    best = max(prox.tried, key=lambda trial: trial.value)
    assert prox.best == best
    assert len(lines) == 6
    assert lines[0].startswith("fedavg 1/3: optimizer.lr=0.02: val.auc 0.500 (best 0.500)")


def test_a_strategy_without_anything_to_search_has_one_trial(tune: Any) -> None:
    avg, prox = tune(NoTraining(mu), "strategy=fedavg,fedprox", "budget=2")
    assert (len(avg.tried), len(prox.tried)) == (1, 2)


def test_a_trial_that_fails_is_told_and_counts(tune: Any, lines: list[str]) -> None:
    def judge(config: Any) -> Any:
        return "the loss is not finite" if config["strategy"]["fedprox"]["mu"] < 0.05 else 0.5

    (prox,) = tune(NoTraining(judge), "strategy=fedprox", "budget=4")
    failed = [trial for trial in prox.tried if trial.value is None]
    assert len(prox.tried) == 4
    assert 0 < len(failed) < 4
    assert {trial.why for trial in failed} == {"the loss is not finite"}
    assert "fedprox 1/4: strategy.fedprox.mu=0.01: failed: the loss is not finite" in lines


def test_the_same_words_go_on_where_a_search_was_stopped(tune: Any, tmp_path: Path) -> None:
    def until(stop: int) -> Judge:
        left = iter([None] * stop)
        return lambda config: KeyboardInterrupt() if next(left, 0) == 0 else mu(config)

    with pytest.raises(KeyboardInterrupt):
        tune(NoTraining(until(1), size=1), "strategy=fedprox", "budget=3")
    pool = NoTraining(mu, size=1)
    (stopped,) = tune(pool, "strategy=fedprox", "budget=3")
    assert len(pool.given) == 2
    (whole,) = Tuner(words("strategy=fedprox", "budget=3"), tmp_path / "other", print).go(NoTraining(mu, size=1))
    assert stopped.tried == whole.tried


def test_a_larger_budget_goes_further(tune: Any) -> None:
    tune(NoTraining(mu), "strategy=fedprox", "budget=1")
    pool = NoTraining(mu)
    (more,) = tune(pool, "strategy=fedprox", "budget=2")
    assert (len(more.tried), len(pool.given)) == (2, 1)


def test_a_trial_is_the_mean_over_its_seeds(tune: Any) -> None:
    (found,) = tune(NoTraining(lambda config: config["seed"] / 10), "strategy=fedprox", "budget=1", "seed=1,2,6")
    assert [trial.value for trial in found.tried] == [pytest.approx(0.3)]


def test_values_that_come_again_are_not_run_again(tune: Any) -> None:
    pool = NoTraining(mu)
    (found,) = tune(pool, "strategy=fedavg", "budget=4", "epochs=1,2")
    assert len(found.tried) == 4
    assert len(pool.given) == 2


def test_a_worker_that_dies_is_replaced_and_warnings_are_passed_on(tune: Any, lines: list[str]) -> None:
    events = iter([WorkerDied("killed by SIGKILL"), RunWarning("low memory"), 0.5, 0.5])
    (found,) = tune(NoTraining(lambda config: next(events)), "strategy=fedprox", "budget=1")
    assert [trial.value for trial in found.tried] == [0.5]
    assert any("killed by SIGKILL" in line for line in lines)


def test_runs_without_validation_are_refused(tune: Any) -> None:
    with pytest.raises(UserError, match=r"val\.auc or val\.dice: expected a result to choose by"):
        tune(NoTraining(lambda config: None), "strategy=fedprox", "budget=2")


def test_a_metric_of_which_less_is_better(tune: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = RunDirectory.finish
    monkeypatch.setattr(RunDirectory, "finish", lambda run, final: finish(run, {"val.loss": final["val.auc"]}))
    (found,) = tune(NoTraining(mu), "strategy=fedprox", "budget=2", "metric=loss")
    assert found.best.value == min(trial.value for trial in found.tried)


def test_validation_that_does_not_define_the_metric_fails_the_trial_and_not_the_search(
    tune: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = RunDirectory.finish
    monkeypatch.setattr(RunDirectory, "finish", lambda run, final: finish(run, {"val.loss": 0.5}))
    (found,) = tune(NoTraining(mu), "strategy=fedprox", "budget=2")
    assert [trial.why for trial in found.tried] == ["val.auc is not defined"] * 2
    assert any("failed: val.auc is not defined" in line for line in lines)
