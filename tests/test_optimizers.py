import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from fedmed.optimizers import Optimizer, learning_rate, make_optimizer

KINDS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.3, weight_decay=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.3, momentum=0.5, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.3, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.3, weight_decay=0.1),
    "epsilon": lambda p: torch.optim.Adam(p, lr=0.3, weight_decay=0.1, eps=0.2),
}
SETTINGS = {
    name: Optimizer(
        name={"momentum": "sgd", "epsilon": "adam"}.get(name, name),  # type: ignore[arg-type]
        lr=0.3,
        epsilon=0.2 if name == "epsilon" else 1e-8,
        momentum=0.5 if name == "momentum" else 0.0,
        weight_decay=0.1,
    )
    for name in KINDS
}


@pytest.mark.parametrize("name", KINDS)
def test_steps_have_the_bits_of_torchs_own_classes(name: str) -> None:
    ours, torchs = _Walk(SETTINGS[name]), _Walk(SETTINGS[name])
    torchs.optimizer = KINDS[name](torchs.net.parameters())
    for rate in (0.3, 0.1):
        ours.optimizer.lr = rate
        for group in torchs.optimizer.param_groups:
            group["lr"] = rate
        ours.steps(3)
        torchs.steps(3)
        assert torch.equal(ours.net.weight, torchs.net.weight)
        assert torch.equal(ours.net.bias, torchs.net.bias)


def test_frozen_parameters_and_those_without_gradient_stay() -> None:
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    before, other = [p.detach().clone() for p in net.parameters()], nn.Parameter(torch.ones(1))
    optimizer = make_optimizer(Optimizer(momentum=0.9), [*net.parameters(), other])
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(net.weight, before[0] - 0.02)
    assert torch.equal(net.bias, before[1])
    assert other.item() == 1
    assert optimizer.state_dict().keys() == {"0"}


def test_nothing_of_torchs_compiler_is_imported() -> None:
    """It would take a second of the start of every process."""
    code = (
        "import sys, torch; from fedmed.optimizers import *;"
        "p = torch.nn.Parameter(torch.ones(1)); p.grad = torch.ones(1);"
        "[make_optimizer(Optimizer(name=name), [p]).step() for name in ('sgd', 'adam', 'adamw')];"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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
    memory = stopped.optimizer.state_dict()
    stopped.steps(5)  # somebody else's round on the same optimizer
    resumed = _Walk(settings)
    resumed.steps(2)
    resumed.optimizer.load_state_dict(memory)
    resumed.steps(2)
    assert torch.equal(resumed.net.weight, straight.net.weight)


def test_without_memory_it_is_as_new() -> None:
    used, new = _Walk(Optimizer(momentum=0.9)), _Walk(Optimizer(momentum=0.9))
    used.steps(3)
    used.optimizer.load_state_dict({})
    used.net.load_state_dict(new.net.state_dict())
    used.steps(2)
    new.steps(2)
    assert torch.equal(used.net.weight, new.net.weight)


def test_memory_is_a_copy_on_both_ways() -> None:
    walk = _Walk(Optimizer(momentum=0.9))
    assert walk.optimizer.state_dict() == {}
    walk.steps(1)
    memory = walk.optimizer.state_dict()
    kept = memory["0"]["momentum_buffer"].clone()
    walk.optimizer.load_state_dict(memory)
    walk.steps(1)
    assert torch.equal(memory["0"]["momentum_buffer"], kept)
    assert not torch.equal(walk.optimizer.state_dict()["0"]["momentum_buffer"], kept)


class _Walk:
    """A net and its optimizer on a fixed problem."""

    def __init__(self, settings: Optimizer) -> None:
        self.net = nn.Linear(2, 1)
        nn.init.constant_(self.net.weight, 0.5)
        nn.init.constant_(self.net.bias, 0.1)
        self.optimizer: Any = make_optimizer(settings, self.net.parameters())

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.optimizer.zero_grad()
            self.net(torch.tensor([[1.0, -2.0]])).square().sum().backward()
            self.optimizer.step()
