import math

import pytest
import torch
from torch import nn

from fedmed.config.experiment import Optimizer
from fedmed.optimizers import learning_rate, make_optimizer, recall, remember


@pytest.mark.parametrize(("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_the_settings_reach_torch(name: str, kind: str) -> None:
    settings = Optimizer(name=name, lr=0.3, momentum=0.5, weight_decay=0.1)
    optimizer = make_optimizer(settings, nn.Linear(2, 1).parameters())
    group = optimizer.param_groups[0]
    assert type(optimizer).__name__ == kind
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.1)
    assert group.get("momentum") == (0.5 if name == "sgd" else None)


def test_frozen_parameters_are_not_optimised() -> None:
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    assert [p.shape for p in make_optimizer(Optimizer(), net.parameters()).param_groups[0]["params"]] == [(1, 2)]


def test_the_rate_is_constant_or_half_a_cosine() -> None:
    assert [learning_rate(Optimizer(lr=0.2), r, 4) for r in (1, 4)] == [0.2, 0.2]
    cosine = [learning_rate(Optimizer(lr=0.2, schedule="cosine"), r, 4) for r in (1, 2, 3, 4)]
    assert cosine == pytest.approx([0.2 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)])
    assert cosine[0] == 0.2
    assert 0 < cosine[-1] < cosine[-2]


def test_the_rate_falls_to_a_tenth_at_each_milestone() -> None:
    steps = Optimizer(lr=0.2, schedule="steps", milestones=(3, 5))
    found = [learning_rate(steps, r, 6) for r in range(1, 7)]
    assert found == pytest.approx([0.2, 0.2, 0.02, 0.02, 0.002, 0.002])


@pytest.mark.parametrize("settings", [Optimizer(momentum=0.9), Optimizer(name="adam"), Optimizer(name="adamw")])
def test_with_its_memory_an_optimizer_goes_on_as_if_never_stopped(settings: Optimizer) -> None:
    straight = _Walk(settings)
    straight.steps(4)
    stopped = _Walk(settings)
    stopped.steps(2)
    memory = remember(stopped.optimizer)
    stopped.steps(5)  # somebody else's round on the same optimizer
    resumed = _Walk(settings)
    resumed.steps(2)
    resumed.optimizer.state.clear()
    recall(resumed.optimizer, memory)
    resumed.steps(2)
    assert torch.equal(resumed.net.weight, straight.net.weight)


def test_without_memory_it_is_as_new() -> None:
    used, new = _Walk(Optimizer(momentum=0.9)), _Walk(Optimizer(momentum=0.9))
    used.steps(3)
    recall(used.optimizer, {})
    used.net.load_state_dict(new.net.state_dict())
    used.steps(2)
    new.steps(2)
    assert torch.equal(used.net.weight, new.net.weight)


def test_memory_is_a_copy_on_both_ways() -> None:
    walk = _Walk(Optimizer(momentum=0.9))
    assert remember(walk.optimizer) == {}
    walk.steps(1)
    memory = remember(walk.optimizer)
    kept = memory["0"]["momentum_buffer"].clone()
    recall(walk.optimizer, memory)
    walk.steps(1)
    assert torch.equal(memory["0"]["momentum_buffer"], kept)
    assert not torch.equal(remember(walk.optimizer)["0"]["momentum_buffer"], kept)


class _Walk:
    """A net and its optimizer on a fixed problem."""

    def __init__(self, settings: Optimizer) -> None:
        self.net = nn.Linear(2, 1)
        nn.init.constant_(self.net.weight, 0.5)
        nn.init.constant_(self.net.bias, 0.1)
        self.optimizer = make_optimizer(settings, self.net.parameters())

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.optimizer.zero_grad()
            self.net(torch.tensor([[1.0, -2.0]])).square().sum().backward()
            self.optimizer.step()
