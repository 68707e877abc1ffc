"""Any module of torch as features and a head."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from fedmed.errors import UserError
from fedmed.models.split import split

IMAGES = torch.randn((2, 1, 8, 8), generator=torch.Generator().manual_seed(0))


class Plain(nn.Module):
    """Registers its head first, and calls what `after` is on its output."""

    def __init__(self, after: nn.Module | None = None) -> None:
        super().__init__()
        self.fc, self.conv, self.after = nn.Linear(4, 3), nn.Conv2d(1, 4, 3), after

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(torch.relu(self.conv(x)).mean((2, 3)))
        return logits if self.after is None else self.after(logits)


class Functional(nn.Module):
    """Has no layer that gives the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 64))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x.flatten(1), self.weight)


class Listing(Plain):
    def forward(self, x: Tensor) -> list[Tensor]:  # type: ignore[override]
        return [super().forward(x)]


def blocks() -> nn.Sequential:
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(OrderedDict(body=body, classifier=nn.Sequential(nn.Dropout(), nn.Linear(4, 3))))


@pytest.mark.parametrize(
    ("module", "head"),
    [
        (Plain(), nn.Linear),
        (blocks(), nn.Linear),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(3)), nn.Linear),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Identity()), nn.Linear),
        (
            nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(64, 3), nn.Unflatten(1, (3, 1)), nn.Flatten())),
            nn.Sequential,
        ),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 2, 1)), nn.Conv2d),
    ],
)
def test_the_layer_that_gives_the_logits_is_the_head(module: nn.Module, head: type) -> None:
    with torch.no_grad():
        expected = module.eval()(IMAGES)
        net = split(module, IMAGES)
        assert torch.equal(net(IMAGES), expected)
    assert isinstance(net.head, head)
    assert {name.partition(".")[0] for name in net.state_dict()} <= {"features", "head"}
    assert any(name.startswith("head.") for name in net.state_dict())


def test_a_head_can_be_named() -> None:
    net = split(blocks(), IMAGES, head="classifier")
    assert isinstance(net.head, nn.Sequential)
    with pytest.raises(UserError, match=r"the name of a layer of the module, got fcc\. Did you mean fc\?"):
        split(Plain(), IMAGES, head="fcc")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Plain(nn.Softmax(1)), "a layer with weights whose output is the module's output, got none"),
        (Functional(), "a layer with weights whose output is the module's output, got none"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU(inplace=True)), "after which something else happens"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Softmax(1)),
            "expected logits, got probabilities, by Softmax",
        ),
        (Listing(), "one tensor of logits, got list"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), r"a module for images \(B, 1, 8, 8\)"),
    ],
)
def test_what_has_no_head_is_refused_with_what_to_do(module: nn.Module, words: str) -> None:
    with pytest.raises(UserError, match=words):
        split(module, IMAGES)


def test_a_named_head_that_something_follows_is_refused() -> None:
    with pytest.raises(UserError, match="fc, after which something else happens in forward"):
        split(Plain(nn.Softmax(1)), IMAGES, head="fc")


def test_training_mode_stays() -> None:
    assert split(Plain().train(), IMAGES).training
