"""Options are checked when they are made, wherever that is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from annotated_types import Ge

from fedmed.data.partition.labels import DirichletPartition
from fedmed.errors import UserError
from fedmed.experiment import Experiment
from fedmed.method import Method
from fedmed.models.unet import UNet
from fedmed.optimizers import Optimizer
from fedmed.options.base import Options
from fedmed.options.catalogue import discover
from fedmed.options.code import resolve
from fedmed.options.fields import REQUIRED
from fedmed.options.groups import GROUPS
from fedmed.strategies.fedprox import FedProx
from tests.wrong_values import wrong_values


def faults_of(make: Any) -> str:
    with pytest.raises(UserError) as refused:
        make()
    return str(refused.value)


def test_bounds_hold_in_python() -> None:
    assert faults_of(lambda: FedProx(mu=-3.0)) == "FedProx.mu: expected a number >= 0, got -3.0."
    assert "DirichletPartition.alpha" in faults_of(lambda: DirichletPartition(alpha=0))
    assert "Optimizer.lr" in faults_of(lambda: Optimizer(lr=float("nan")))


def test_bounds_hold_where_a_value_is_replaced() -> None:
    assert "FedProx.mu" in faults_of(lambda: replace(FedProx(), mu=-1))


def test_all_faults_of_an_object_come_together() -> None:
    words = faults_of(
        lambda: Experiment(rounds=0, batch_size=1.5, scopes=("tests",), dataset="npz", optimizer={"lr": 1})
    )  # type: ignore[arg-type]
    for name in ("rounds", "batch_size", "scopes", "dataset", "optimizer"):
        assert f"Experiment.{name}: " in words


def test_settings_that_do_not_go_together_are_refused_in_python() -> None:
    assert faults_of(lambda: Experiment(clients=4, clients_per_round=5)).startswith(
        "clients_per_round: expected at most"
    )
    assert "optimizer.milestones" in faults_of(lambda: Experiment(optimizer=Optimizer(schedule="steps")))


@pytest.mark.parametrize("group", GROUPS)
def test_no_option_takes_a_value_of_another_type_or_out_of_bounds(group: str) -> None:
    tried = 0
    for option in discover().options[group].values():
        cls = resolve(option.target)
        given = {each.name: "x" for each in option.fields if each.default == REQUIRED}
        for each in option.fields:
            for wrong in wrong_values(each.type):
                assert f"{cls.__name__}.{each.name}: expected" in faults_of(lambda: cls(**{**given, each.name: wrong}))  # noqa: B023
                tried += 1
    assert tried or all(not option.fields for option in discover().options[group].values())


def test_values_come_in_one_form() -> None:
    made = Experiment(seed=np.int64(3), client_test=0, scopes=["test"], metrics=[], rounds=torch.tensor(2).item())  # type: ignore[arg-type]
    assert (made.seed, made.client_test, made.scopes, made.metrics, made.rounds) == (3, 0.0, ("test",), (), 2)
    assert [type(value) for value in (made.seed, made.client_test)] == [int, float]
    assert UNet(weights=Path("a") / "b.pt").weights == "a/b.pt"  # type: ignore[arg-type]


def test_a_class_of_a_users_own_is_checked_too_before_its_own_post_init() -> None:
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Mine(Method):
        strength: Annotated[float, Ge(0)] = 0.5
        table: dict[str, int] = field(default_factory=dict)

        def __post_init__(self) -> None:
            seen.append(self.strength)

    assert Mine(strength=1, table={"a": 1}).strength == 1.0
    assert "Mine.strength" in faults_of(lambda: Mine(strength=-1))
    assert seen == [1.0]


def test_annotations_that_only_a_type_checker_can_read_are_left_alone() -> None:
    @dataclass(frozen=True)
    class Strange(Options):
        x: Unknown = 1  # type: ignore[name-defined]  # noqa: F821

    assert Strange(x="anything").x == "anything"
