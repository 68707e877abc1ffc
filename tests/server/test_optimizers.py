"""Server optimizers on numbers by hand, over rounds of a federation, and over a stop between two."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
import torch

from fedmed.server import (
    AdagradServerOptimizer,
    AdamServerOptimizer,
    AverageServerOptimizer,
    MomentumServerOptimizer,
    ServerOptimizer,
    YogiServerOptimizer,
)
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate, initial, same

TOY = TOYS["multiclass"]
WEIGHTS = frozenset(name for name, _ in TOY.net().named_parameters())
EVERY = [MomentumServerOptimizer(), AdagradServerOptimizer(), AdamServerOptimizer(), YogiServerOptimizer()]


def walk(optimizer: ServerOptimizer, *targets: float) -> list[float]:
    """Where a weight goes from 1 when the average asks for the targets, round by round."""
    memory: dict[str, Any] = {}
    w, path = torch.tensor([1.0], dtype=torch.float64), []
    for target in targets:
        mean = {"w": torch.tensor([target], dtype=torch.float64)}
        w = optimizer.step({"w": w}, mean, frozenset({"w"}), memory)["w"]
        path.append(w.item())
    return path


def test_momentum() -> None:
    # v: 2, then .5 * 2 + (0 - 2) = -1;  w: 1 + .5 * 2 = 2, then 2 - .5
    assert walk(MomentumServerOptimizer(lr=0.5, momentum=0.5), 3, 0) == pytest.approx([2, 1.5])


def test_adagrad() -> None:
    # v: .01 + 4, then + 1;  steps of lr delta / (sqrt(v) + tau)
    first = 1 + 0.1 * 2 / (sqrt(4.01) + 0.1)
    second = first - 0.1 / (sqrt(5.01) + 0.1)
    assert walk(AdagradServerOptimizer(lr=0.1, tau=0.1), 3, first - 1) == pytest.approx([first, second])


def test_adam() -> None:
    # m: .1 * 2, then .9 * .2 - .1;  v: .99 * .01 + .01 * 4, then .99 * v + .01
    v = 0.99 * 0.01 + 0.01 * 4
    first = 1 + 0.5 * 0.2 / (sqrt(v) + 0.1)
    second = first + 0.5 * (0.9 * 0.2 - 0.1) / (sqrt(0.99 * v + 0.01) + 0.1)
    assert walk(AdamServerOptimizer(lr=0.5, tau=0.1), 3, first - 1) == pytest.approx([first, second])


def test_yogi() -> None:
    # v: .01 + .01 * 4 as v < 4, then .05 - .01 * .01 as v > .01
    first = 1 + 0.5 * 0.2 / (sqrt(0.05) + 0.1)
    second = first + 0.5 * (0.9 * 0.2 + 0.1 * 0.1) / (sqrt(0.05 - 0.0001) + 0.1)
    assert walk(YogiServerOptimizer(lr=0.5, tau=0.1), 3, first + 0.1) == pytest.approx([first, second])


@pytest.mark.parametrize("lr", [1.0, 0.3])
def test_without_momentum_it_is_the_average(lr: float) -> None:
    still = federate(TOY, FedAvg(), optimizer=MomentumServerOptimizer(lr=lr, momentum=0), parameters=WEIGHTS)
    assert same(
        still.shared, federate(TOY, FedAvg(), optimizer=AverageServerOptimizer(lr=lr), parameters=WEIGHTS).shared
    )
    assert still.progress.state == {}


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda o: type(o).__name__)
def test_buffers_are_the_mean_and_nothing_lent_is_changed(optimizer: ServerOptimizer) -> None:
    old = {"w": torch.ones(2), "running_mean": torch.ones(2), "steps": torch.tensor(1)}
    mean = {"w": torch.full((2,), 3.0), "running_mean": torch.full((2,), 5.0), "steps": torch.tensor(7)}
    new = optimizer.step(old, mean, frozenset({"w"}), {})
    assert torch.equal(new["running_mean"], mean["running_mean"])
    assert new["steps"] == 7
    assert not torch.equal(new["w"], old["w"])
    assert (old["w"].tolist(), mean["w"].tolist()) == ([1, 1], [3, 3])


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("method", [FedAvg(), Scaffold()], ids=["fedavg", "scaffold"])
def test_two_rounds_and_two_more_are_four(optimizer: ServerOptimizer, method: Any) -> None:
    options: dict[str, Any] = {"optimizer": optimizer, "parameters": WEIGHTS}
    whole = federate(TOY, method, rounds=4, **options)
    half = federate(TOY, method, rounds=2, **options)
    assert half.progress.state["@optimizer"]
    rest = federate(TOY, method, rounds=4, shared=half.shared, grid=half.grid, progress=half.progress, **options)
    assert same(rest.shared, whole.shared)


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda o: type(o).__name__)
def test_memory_steers_later_rounds(optimizer: ServerOptimizer) -> None:
    old = {"w": torch.zeros(2)}
    memory: dict[str, Any] = {}
    for target in (1.0, 1.0):
        remembered = optimizer.step(old, {"w": torch.full((2,), target)}, frozenset({"w"}), memory)["w"]
    fresh = optimizer.step(old, {"w": torch.ones(2)}, frozenset({"w"}), {})["w"]
    assert not torch.equal(remembered, fresh)


def test_a_federation_learns_with_momentum() -> None:
    plan = MomentumServerOptimizer(momentum=0.5)
    ended = federate(TOY, FedAvg(), rounds=6, optimizer=plan, parameters=WEIGHTS)
    assert ended.losses[-1] < ended.losses[0]
    assert not same(ended.shared, initial(TOY, FedAvg()))
