from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.compose import compose
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import UserError


def wheres(*overrides: str) -> list[str]:
    """Where the faults of a config are."""
    with pytest.raises(UserError) as error:
        compose(overrides)
    return [fault.where for fault in error.value.faults]


def test_values_out_of_bounds_are_faults() -> None:
    wrong = [
        "rounds=0",
        "clients=0",
        "epochs=0",
        "batch_size=0",
        "eval_every=0",
        "patience=0",
        "seed=-1",
        "clip_norm=0",
        "client_test=1",
        "scopes=[test,clients]",
        "device=gpu",
        "optimizer.lr=-0.1",
        "optimizer.momentum=1",
        "optimizer.weight_decay=nan",
        "optimizer.name=lbfgs",
        "optimizer.schedule=linear",
        "partition.alpha=0",
        "dataset.val=1",
        "dataset.normalise=some",
        "loss=gone.py:focal",
    ]
    assert sorted(wheres(*wrong)) == sorted(override.partition("=")[0] for override in wrong)


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        (["clients=5", "clients_per_round=6"], "clients_per_round"),
        (["clients_per_round=11"], "clients_per_round"),
        (["local_steps=3", "epochs=2"], "local_steps"),
        (["optimizer.name=adam", "optimizer.momentum=0.9"], "optimizer.momentum"),
        (["optimizer.schedule=steps"], "optimizer.milestones"),
        (["optimizer.schedule=cosine", "optimizer.milestones=[3]"], "optimizer.milestones"),
        (["patience=2", "scopes=[]"], "patience"),
        (["patience=2", "scopes=[test,adapted]"], "patience"),
        (["device=cuda:first"], "device"),
    ],
)
def test_values_that_do_not_go_together_are_faults(overrides: list[str], where: str) -> None:
    assert wheres(*overrides) == [where]


@pytest.mark.parametrize(
    "overrides",
    [
        ["clients=5", "clients_per_round=5"],
        ["clients_per_round=11", "partition=site"],
        ["local_steps=3"],
        ["optimizer.name=adamw", "optimizer.weight_decay=0.1"],
        ["scopes=[client]", "patience=1"],
        ["strategy.local=['@norm']"],
    ],
)
def test_values_in_bounds_are_none(overrides: list[str]) -> None:
    assert validate(compose(overrides)) == []


def test_a_required_field_without_a_value_is_a_fault(home: Path, method: str) -> None:
    (home / "mine.py").write_text(method, encoding="utf-8")
    assert wheres("strategy=mine.py") == ["strategy.mine.needed"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("own.py:gone", "defined in that file"), ("own.py", "path/to/file.py"), ("broken.py:x", "parses")],
)
def test_own_functions_must_exist(text: str, fault: str, home: Path) -> None:
    (home / "own.py").write_text("def focal(): ...\n", encoding="utf-8")
    (home / "broken.py").write_text("def focal(:\n", encoding="utf-8")
    with pytest.raises(UserError, match=fault):
        compose([f"loss={text}"])


def edited(key: str, value: Any) -> Config:
    """The default config with one entry changed, as in a file that somebody edited."""
    values: Any = deepcopy(compose().values)
    *above, name = key.split(".")
    node = values
    for part in above:
        node = node[part]
    node[name] = value
    return Config(values)


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("model", None, "model"),
        ("strategy", {}, "strategy"),
        ("model._target_", "fedmed.models.gone.Gone", "model._target_"),
        ("model._target_", "/gone.py:Gone", "model._target_"),
        ("model.depth", 3, "model.depth"),
        ("rounds", "many", "rounds"),
    ],
)
def test_an_edited_config_is_checked_too(key: str, value: Any, where: str) -> None:
    assert where in [fault.where for fault in validate(edited(key, value))]


@pytest.mark.parametrize(
    ("name", "message"),
    [("gpu", "device=cuda"), ("GPU", "device=cuda"), ("mps", "not supported"), ("cud", "you mean")],
)
def test_devices_of_other_names_are_told_what_to_write(name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"device: expected auto, cpu, cuda or cuda:<number>, got {name}.*{message}"):
        compose([f"device={name}"])
