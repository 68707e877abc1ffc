from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.tuning.plan import read

SMOKE = ("experiment=smoke", "strategy=fedavg,fedprox,fedprox+fedbn", "model.norm=batch")
AXES = ("strategy.fedprox.mu=0.001..1:log", "optimizer.lr=0.01..0.1", "epochs=1..3")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_strategy_searches_its_own_options_and_those_of_all() -> None:
    found = read([*SMOKE, *AXES, "budget=7"])
    assert found.budget == 7
    assert [c.name for c in found.candidates] == ["fedavg", "fedprox", "fedprox+fedbn"]
    shared = ["optimizer.lr", "epochs"]
    assert [[axis.key for axis in c.axes] for c in found.candidates] == [
        shared,
        ["strategy.fedprox.mu", *shared],
        ["strategy.fedprox.mu", *shared],
    ]
    assert [axis.whole for axis in found.candidates[1].axes] == [False, False, True]
    assert found.candidates[1].defaults == {"strategy.fedprox.mu": 0.01, "optimizer.lr": 0.02, "epochs": 1}


def test_one_method_needs_no_name() -> None:
    (candidate,) = read(["strategy=fedprox", "strategy.mu=0.1..1"]).candidates
    assert [axis.key for axis in candidate.axes] == ["strategy.fedprox.mu"]


def test_a_run_has_the_values_and_a_seed_that_nobody_reports() -> None:
    tuning = read(["strategy=fedprox", "strategy.mu=0.1..1", "rounds=2"])
    config = tuning.candidates[0].run(["strategy.fedprox.mu=0.5"], tuning.seeds[0]).runs[0].config
    assert (config["strategy.fedprox.mu"], config["rounds"], config["seed"]) == (0.5, 2, 100)


def test_seeds_may_be_several() -> None:
    assert read(["epochs=1..3", "seed=7,8"]).seeds == ("7", "8")


def test_a_metric_of_clients_is_judged_by_their_validation_and_test_images_choose_nothing() -> None:
    plain, pooled = read(["epochs=1..3", "metric=loss"]), read(["epochs=1..3", "metric=val.loss"])
    found = read(["epochs=1..3", "metric=client.worst.loss"])
    assert (found.scope, found.metric, found.greater) == ("client.worst", "loss", False)
    assert (pooled.scope, pooled.metric, pooled.name) == ("", "loss", plain.name)
    assert found.name != plain.name
    assert found.candidates[0].run([], "1").runs[0].config["metric"] == "loss"
    with pytest.raises(UserError, match=r"metric: expected a metric that validation can judge by, got test.loss"):
        read(["epochs=1..3", "metric=test.loss"])


def test_the_same_words_have_the_same_folder_with_more_budget_too() -> None:
    one, more = read(["epochs=1..3", "budget=3"]), read(["epochs=1..3", "budget=9"])
    assert one.name == more.name
    assert one.name.startswith("tune_fedavg_")
    assert read(["epochs=1..3", "rounds=3"]).name != one.name


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["strategy=fedprox"], "tune: expected an option with a range or choices, got none"),
        (["strategy=fedprox", "strategy.mu=-1..1"], "strategy.fedprox.mu: expected a number >= 0, got -1"),
        (["strategy=fedavg", "optimizer.momentum=0..2"], "optimizer.momentum: expected a number >= 0 and < 1, got 2"),
        (["optimizer.name=sgd,adm"], "optimizer.name: expected one of sgd, adam, adamw, got adm"),
        (["epochs=1..2.5"], "epochs: expected a whole number >= 1, got 2.5"),
        (["strategy=fedavg,fedproxx", "epochs=1..3"], "fedproxx"),
        (["strategy=fedavg", "strategy.fedprox.mu=0..1"], "strategy.fedprox.mu"),
        (["epochs=1..3", "budget=0"], "budget: expected a whole number >= 1"),
        (["epochs=1..3", "seed=-1"], "seed: expected a whole number >= 0, got -1"),
    ],
)
def test_what_could_not_run_is_refused_at_once(overrides: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        read(overrides)
    assert words in str(caught.value)
