from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.build import build, build_option, config_of, from_yaml, to_yaml
from fedmed.config.compose import compose
from fedmed.config.values import Node
from fedmed.errors import UserError
from fedmed.experiment import Experiment
from fedmed.optimizers import Optimizer
from fedmed.options.code import resolve
from fedmed.strategies.fedprox import FedProx


def test_the_defaults_of_the_command_line_are_those_of_the_experiment() -> None:
    assert build(compose()) == Experiment()


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["experiment=fedmlp", "metrics=[]", "seed=3"],
        ["experiment=fedplvm_paper", "dataset.path=x.npz"],
        ["strategy=fedprox+fedbn", "strategy.fedprox.mu=1", "partition=iid", "server=adam", "optimizer.name=adam"],
        ["dataset=synthetic_segmentation", "annotation=incomplete_masks", "engine=pool", "engine.workers=2"],
    ],
)
def test_a_config_and_its_experiment_are_two_spellings_of_one_thing(overrides: list[str]) -> None:
    config = compose(overrides)
    assert config_of(build(config)) == config
    assert from_yaml(to_yaml(config)) == config
    assert build(from_yaml(to_yaml(config))) == build(config)


def test_an_experiment_from_python_is_written_as_the_command_line_would() -> None:
    made = Experiment(strategy=FedProx(mu=1), rounds=3, scopes=("adapted",), optimizer=Optimizer(lr=1))
    words = ["strategy=fedprox", "strategy.mu=1", "rounds=3", "scopes=[adapted]", "optimizer.lr=1"]
    assert to_yaml(config_of(made)) == to_yaml(compose(words))


def test_settings_take_values_and_lists_become_tuples() -> None:
    made = build(compose(["rounds=3", "scopes=[adapted]", "optimizer.lr=0.5"]))
    assert (made.rounds, made.scopes, made.optimizer) == (3, ("adapted",), Optimizer(lr=0.5))


def test_an_option_is_built_from_its_node() -> None:
    config = compose(["strategy=fedprox", "strategy.mu=3", "strategy.local=['@norm','@head']"])
    made = build(config).methods.members["fedprox"]
    assert isinstance(made, FedProx)
    assert (made.mu, made.local) == (3.0, ("@norm", "@head"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.mu = 1  # type: ignore[misc]


def test_an_option_from_a_file_is_imported_once_and_can_be_pickled(home: Path, method: str) -> None:
    file = home / "mine.py"
    file.write_text(method, encoding="utf-8")
    made: Any = build(compose(["strategy=mine.py", "strategy.needed=x"])).methods.members["mine"]
    assert made.needed == "x"
    assert pickle.loads(pickle.dumps(made)) == made
    assert type(made) is resolve(f"{file}:Mine")
    assert type(made).__module__.rpartition(".")[2] == "mine"


def test_a_function_comes_from_a_file(home: Path) -> None:
    (home / "own.py").write_text("def twice(x): return 2 * x\n", encoding="utf-8")
    assert resolve("own.py:twice")(2) == 4
    with pytest.raises(UserError, match="gone, defined in own"):
        resolve("own.py:gone")
    with pytest.raises(UserError, match="a file that exists"):
        resolve("gone.py:twice")


def test_a_file_that_fails_is_not_kept(home: Path) -> None:
    (home / "own.py").write_text("raise ZeroDivisionError\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"own.py, line 1: expected a file that can be imported, got ZeroDivisionError"):
        resolve("own.py:twice")
    (home / "own.py").write_text("def twice(x): return 2 * x\n", encoding="utf-8")
    assert resolve("own.py:twice")(2) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import gone_for_good\n", "line 1: expected a file that can be imported, got ModuleNotFoundError"),
        ("x = 1\ndef f(:\n", "line 2: expected a file that can be imported, got SyntaxError"),
        (
            "from dataclasses import dataclass as d\nfrom fedmed.method import Method\n@d\nclass Mine(Method): ...\n",
            "cannot inherit non-frozen dataclass from a frozen one. A class of options is decorated",
        ),
        (
            "from fedmed.method import Method\nclass Mine(Method):\n    def penalti(self): ...\n",
            "line 2: expected a file that can be imported, got TypeError: Mine.penalti is not a hook of Method",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_names_its_line(home: Path, text: str, message: str) -> None:
    (home / "own.py").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        resolve("own.py:Mine")
    assert message in str(raised.value)


def test_a_class_that_is_no_dataclass_is_refused_by_name(home: Path) -> None:
    (home / "own.py").write_text(
        "from fedmed.method import Method\nclass Mine(Method):\n    x: int = 1\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"own.py:Mine: expected a class of x, got TypeError.*@dataclass"):
        build_option(Node("strategy.mine", "strategy", "own.py:Mine", {"x": 2}))
