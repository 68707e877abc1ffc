"""Every strategy on volumes: it trains on them with the same bits wherever it runs, or refuses them in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from fedmed.data.examples import Examples
from fedmed.engine.threads import ThreadsEngine
from fedmed.method import Method, Setup, chain
from fedmed.models.net import Net
from tests.conformance.cases import SHORT, load
from tests.conformance.fresh import bits
from tests.conformance.test_engines import assert_equal
from tests.toys import SIDE, TOYS, TRAINING, Toy, federate, trainer_of

DEEP = 4
"""Slices of a toy's volume, of which the two in the middle show what the toy's image does."""


def deep(examples: Examples) -> Examples:
    x = torch.zeros(len(examples), 1, DEEP, SIDE, SIDE)
    x[:, :, 1:3] = examples.x[:, :, None]
    if examples.y.dim() < 3:
        return Examples(x, examples.y)
    y = torch.zeros(len(examples), DEEP, SIDE, SIDE, dtype=torch.uint8)
    y[:, 1:3] = examples.y[:, None]
    return Examples(x, y)


def net(task: str, outputs: int) -> Net:
    body = [nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU()]
    if task == "lesions":
        return Net(nn.Sequential(*body), nn.Conv3d(4, outputs, 1))
    return Net(nn.Sequential(*body, nn.AdaptiveAvgPool3d(4), nn.Flatten()), nn.Linear(4 * 64, outputs))


def toy_of(task: str) -> Toy:
    flat = TOYS[task]
    parts = ("train", "val", "test", "own_val")
    shares = [replace(share, **{part: deep(getattr(share, part)) for part in parts}) for share in flat.shares]
    return replace(flat, shares=tuple(shares), make=lambda: net(task, flat.task.outputs))


def setup_of(toy: Toy) -> Setup:
    given: dict[str, Any] = {"optimizer": TRAINING.optimizer, "rounds": 4, "clients": len(toy.shares)}
    return Setup(task=toy.task, net=toy.net(), dimensions=3, **given)


def method_of(kind: type[Method]) -> Method:
    return kind(**SHORT.get(kind.__module__.rpartition(".")[2], {}))


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "lesions"])
def test_a_strategy_trains_on_volumes_with_the_same_bits_in_threads(kind: type[Method], task: str) -> None:
    toy, method = toy_of(task), method_of(kind)
    if faults := chain(method).check(setup_of(toy)):
        pytest.skip("; ".join(map(str, faults)))
    options: dict[str, Any] = {"rounds": 3, "seed": 1, "by_clients": True}
    one = federate(toy, method, **options)
    with ThreadsEngine(workers=2).grid(trainer_of(toy, method, seed=1), len(toy.shares)) as grid:
        other = federate(toy, method, grid=grid, **options)
    assert_equal(bits(other), bits(one))
    assert all(torch.tensor(one.losses).isfinite())


def test_every_strategy_takes_some_volumes_but_lora_which_says_why(kind: type[Method]) -> None:
    method, toys = method_of(kind), [toy_of(task) for task in ("multiclass", "multilabel", "lesions")]
    refused = [chain(method).check(setup_of(toy)) for toy in toys]
    if kind is load("lora"):
        assert all("images of 2 dimensions, got volumes" in str(faults[0]) for faults in refused)
    else:
        assert not all(refused)
