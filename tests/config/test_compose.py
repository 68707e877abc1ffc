from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.config.compose import compose, plan
from fedmed.config.sweeping import sweep
from fedmed.config.values import Config
from fedmed.errors import UserError


def refused(*overrides: str, multirun: bool = False) -> str:
    """The message with which the overrides are refused."""
    with pytest.raises(UserError) as error:
        plan(overrides, sweep=multirun)
    return str(error.value)


def members(config: Config) -> list[str]:
    return list(config.methods)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    return


def test_the_defaults_compose() -> None:
    config = compose()
    assert (members(config), config["rounds"], config["clients"]) == (["fedavg"], 10, None)
    assert config["dataset._target_"] == "fedmed.datasets.synthetic_multiclass.SyntheticMulticlass"


def test_composing_writes_nothing(tmp_path: Path) -> None:
    directory = plan(["strategy=fedprox+fedbn"]).runs[0].directory
    assert directory.parent == Path("runs")
    assert "_fedprox+fedbn_synthetic_multiclass_" in directory.name
    assert list(tmp_path.iterdir()) == []


def test_run_directories_differ_and_obey_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMED_RUNS", "/elsewhere")
    one, other = plan([]).runs[0].directory, plan([]).runs[0].directory
    assert one.parent == other.parent == Path("/elsewhere")
    assert one != other
    assert plan(["hydra.run.dir=here"]).runs[0].directory == Path("here")


def test_methods_compose_in_order() -> None:
    config = compose(["strategy=fedprox+fedbn", "strategy.fedprox.mu=0.1"])
    assert members(config) == ["fedprox", "fedbn"]
    assert config["strategy.fedprox.mu"] == 0.1


@pytest.mark.parametrize("overrides", [["strategy=fedprox", "strategy.mu=3"], ["strategy.mu=3", "experiment=nearby"]])
def test_an_option_needs_no_name_of_the_one_method(overrides: list[str], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/nearby.yaml").write_text(
        "# @package _global_\ndefaults: [{override /strategy: [fedprox]}]\n", encoding="utf-8"
    )
    assert compose([*overrides, f"hydra.searchpath=[file://{tmp_path}]"])["strategy.fedprox.mu"] == 3


def test_a_preset_is_its_method_with_other_values(tmp_path: Path) -> None:
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy/fedprox_strong.yaml").write_text(
        "# @package strategy.fedprox\ndefaults: [fedprox@_here_, _self_]\nmu: 5\n", encoding="utf-8"
    )
    place = f"hydra.searchpath=[file://{tmp_path}]"
    assert compose(["strategy=fedprox_strong", place])["strategy.fedprox.mu"] == 5
    assert compose(["strategy=fedprox_strong", "strategy.mu=6", place])["strategy.fedprox.mu"] == 6
    assert "fedprox_strong counts as fedprox" in refused("strategy=fedprox+fedprox_strong", place)


@pytest.mark.parametrize("written", ["mine.py", "mine.py:Mine", "./mine.py:Mine+fedbn"])
def test_a_method_comes_from_a_file(written: str, tmp_path: Path, method: str) -> None:
    (tmp_path / "mine.py").write_text(method, encoding="utf-8")
    config = compose([f"strategy={written}", "strategy.mine.needed=x"])
    assert config["strategy.mine._target_"] == f"{tmp_path}/mine.py:Mine"
    assert config["strategy.mine.strength"] == 0.5


def test_paths_of_own_code_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def focal(): ...\n", encoding="utf-8")
    config = compose(["loss=own.py:focal", "metrics=[own.py:focal]"])
    assert config["loss"] == config["metrics"][0] == f"{tmp_path}/own.py:focal"


def test_a_file_that_a_method_reads_becomes_absolute(tmp_path: Path) -> None:
    config = compose(["strategy=fedegoists", "strategy.benefit=file", "strategy.path=gains.csv"])
    assert config["strategy.fedegoists.path"] == f"{tmp_path}/gains.csv"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("strategy=fedproxx", "strategy: expected the name of a strategy, got fedproxx. Did you mean fedprox"),
        ("strategy=fedprox+fedprox", "strategy: expected every method once"),
        ("strategy=fedavg,fedprox", "fedavg+fedprox, or add --multirun"),
        ("strategy=", "strategy=: expected a choice, got none"),
        ("strategy=gone.py", "gone.py"),
        ("dataset=npzz", "Did you mean npz?"),
        ("experiment=smok", "Did you mean smoke?"),
        ("model=null", "model=null: expected a choice"),
        ("~partition", "expected a choice"),
        ("roundss=3", "roundss: expected an option that exists, got 3. Did you mean rounds"),
        ("lr=3", "Did you mean optimizer.lr"),
        ("stratgy=fedprox", "Did you mean strategy"),
        ("experimnt=smoke", "Did you mean experiment"),
        ("+new=3", "new: expected an option that exists"),
        ("optimizer.lrr=3", "optimizer.lrr: expected an option of optimizer, got 3. Did you mean lr?"),
        ("optimizer=adam", "optimizer: expected its options one by one"),
        ("partition.alhpa=3", "Did you mean alpha?"),
        ("strategy.fedprox.mu=3", "Add strategy=fedprox."),
        ("clients=abc", "clients: expected a whole number >= 1 or null, got abc"),
        ("rounds=1.5", "rounds: expected a whole number >= 1, got 1.5"),
        ("rounds=null", "rounds: expected a whole number >= 1, got null"),
        ("rounds=1,2", "rounds: expected one value, got 1,2. Add --multirun"),
        ("rounds=range(1,3)", "Add --multirun"),
        ("rounds", "'rounds': expected option=value"),
        ("rounds=[1", "rounds: expected a value that parses"),
        ("scopes=test", "scopes: expected a list"),
    ],
)
def test_what_does_not_fit_is_explained(override: str, words: str) -> None:
    assert words in refused(override)


def test_all_faults_come_together() -> None:
    wrong = {
        "strategy": "fedproxx",
        "dataset": "npzz",
        "clients": "abc",
        "rounds": "0",
        "seeds": "1",
        "batch_size": "[1",
    }
    message = refused(*(f"{key}={value}" for key, value in wrong.items()), "dataset.path=x")
    assert [line.partition(":")[0] for line in sorted(message.splitlines())] == sorted(wrong)


def test_a_broken_method_says_why_it_cannot_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/bad.py").write_text("class Bad(Method:\n", encoding="utf-8")
    message = refused("strategy=bad")
    assert "line 1" in message
    assert f"{tmp_path}/strategies/bad.py" in message
    assert members(compose()) == ["fedavg"]


def test_every_job_of_a_sweep_is_checked_before_the_first() -> None:
    message = refused("strategy=fedavg,fedproxx", "rounds=1,0", "dataset=synthetic_multilabel", multirun=True)
    assert [line.partition(":")[0] for line in message.splitlines()] == ["rounds", "strategy"]
    assert "strategy.fedprox.mu=" in refused("strategy=fedavg,fedprox", "strategy.mu=1", multirun=True)


def test_a_sweep_runs_every_job_and_each_ignores_options_of_methods_that_it_lacks() -> None:
    overrides = ["strategy=fedavg,fedprox+fedbn", "seed=0,1", "strategy.fedprox.mu=3"]
    checked = plan(overrides, sweep=True)
    jobs: list[tuple[list[str], int]] = []
    directories: set[Path] = set()

    def task(config: Config, directory: Path, number: int) -> None:
        jobs.append((members(config), config["seed"]))
        directories.add(directory)
        assert config.get("strategy.fedprox.mu", 3) == 3

    sweep(checked, task)
    assert jobs == [(m, seed) for m in (["fedavg"], ["fedprox", "fedbn"]) for seed in (0, 1)]
    assert [(members(run.config), run.config["seed"]) for run in checked.runs] == jobs
    assert len(directories) == 4
    assert {directory.parent.parent for directory in directories} == {Path("runs").resolve()}


def test_a_job_of_a_sweep_over_seeds_is_what_it_is_alone(tmp_path: Path) -> None:
    given = ["dataset=npz", f"dataset.path={tmp_path}/${{seed}}.npz", "dataset.split_seed=${seed}", "partition.alpha=2"]
    for job, seed in zip(plan(["seed=3,4", *given], sweep=True).runs, (3, 4), strict=True):
        assert job.config == compose([f"seed={seed}", *given])
        assert job.config["dataset.path"] == f"{tmp_path}/{seed}.npz"
        assert job.config["dataset.split_seed"] == seed


def test_a_sweep_over_seeds_refuses_a_wrong_one() -> None:
    assert refused("seed=0,1,x,-2", multirun=True).count("seed: expected") == 2


def test_a_sweep_still_refuses_a_wrong_option_of_a_method_that_some_jobs_have() -> None:
    swept = ("strategy=fedavg,fedprox",)
    assert "strategy.fedprox.muu" in refused(*swept, "strategy.fedprox.muu=3", multirun=True)
    assert "strategy.fedprox.mu: expected a number >= 0" in refused(*swept, "strategy.fedprox.mu=-3", multirun=True)


def test_what_a_failed_job_raises_comes_out() -> None:
    def task(config: Config, directory: Path, number: int) -> None:
        raise UserError

    with pytest.raises(UserError):
        sweep(plan(["seed=0,1"], sweep=True), task)


@pytest.mark.parametrize(
    "override",
    [
        "dataset.val=" + "9" * 400,
        "dataset.val=${oc.env:HOME}",
        "rounds=${x}",
        "partition.path=1",
        "experiment=true",
        "loss=[1]",
        "metrics=1",
        "tracking.uri=1",
    ],
)
def test_words_that_hydra_parses_and_can_make_nothing_of_are_refused_by_name(override: str) -> None:
    faults = refused("clients=3", override).splitlines()
    assert len(faults) == 1
    assert override.partition("=")[0] in faults[0]


@pytest.mark.parametrize("name", ["local_steps", "metrics", "optimizer", "optimizer.momentum", "dataset.val"])
def test_options_are_never_taken_out(name: str) -> None:
    assert f"~{name}: expected option=value, as options are never taken out" in refused(f"~{name}", "rounds=2")
