from __future__ import annotations

import pytest
import torch
from torch import nn

from fedmed.models.net import classifier, scope
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.unet import UNet

BATCH = SmallCnn(width=2, norm="batch").build(1, 3, 4)


def test_a_scope_of_the_head() -> None:
    assert scope(BATCH, ["@head"]) == {"head.weight", "head.bias"} == scope(BATCH, ["head.*"])


def test_a_scope_of_normalisation_has_its_statistics() -> None:
    kinds = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert scope(BATCH, ["@norm"]) == {f"features.block{b}.norm.{kind}" for b in (1, 2) for kind in kinds}


def test_scopes_of_every_kind_of_normalisation() -> None:
    layers = [nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.InstanceNorm2d(2, affine=True)]
    net = nn.ModuleDict({"conv": nn.Conv2d(1, 1, 1), **{f"n{i}": layer for i, layer in enumerate(layers)}})
    assert scope(net, ["@norm"]) == {f"n{i}.{kind}" for i in range(3) for kind in ("weight", "bias")}


@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_every_normalisation_of_a_unet_can_stay_local(norm: str) -> None:
    assert scope(UNet(norm=norm).build(1, 2, 16), ["@norm"])  # type: ignore[arg-type]


def test_scopes_add_and_may_be_empty() -> None:
    assert scope(BATCH, ["*"]) == set(BATCH.state_dict())
    assert scope(BATCH, ["@head", "features.linear.*"]) == scope(BATCH, ["@head"]) | scope(BATCH, ["features.linear.*"])
    assert scope(BATCH, ["absent.*"]) == scope(BATCH, []) == frozenset()


def test_a_classifier_drops_only_when_asked() -> None:
    assert list(classifier(4, 2).state_dict()) == ["weight", "bias"]
    assert list(classifier(4, 2, 0.5).state_dict()) == ["linear.weight", "linear.bias"]
    assert classifier(4, 2, 0.5)(torch.ones(3, 4)).shape == (3, 2)
