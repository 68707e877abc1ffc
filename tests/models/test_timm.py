"""Networks of timm's: split by what timm says, from the seed, in a run; and what does not fit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import fedmed
from fedmed.errors import UserError
from fedmed.models.net import scope
from fedmed.models.start import create
from fedmed.models.without_torchvision import imported


def timm() -> object:
    try:
        return imported("timm")
    except ImportError:
        return None


absent = pytest.mark.skipif(timm() is None, reason="needs timm: make models")


def needs_timm(test: Callable[..., None]) -> Callable[..., None]:
    return absent(pytest.mark.slow(test))


SMALL = {"vit_tiny_patch16_224": 192, "convnext_atto": 320, "mobilenetv3_small_050": 1024, "resnetv2_50": 2048}
"""Networks and the number of their features; the last one's classifier is a convolution."""


@needs_timm
@pytest.mark.parametrize("name", SMALL)
def test_the_split_computes_what_timm_does(name: str) -> None:
    model = fedmed.TimmModel(name=name)
    torch.manual_seed(0)
    whole = model._whole(1, 4, 64).eval()
    torch.manual_seed(0)
    net, x = model.build(1, 4, 64).eval(), torch.rand(2, 1, 64, 64)
    assert net.features(x).shape == (2, SMALL[name])
    torch.testing.assert_close(net(x), whole(x))
    pre_logits = whole.forward_head(whole.forward_features(x), pre_logits=True)  # type: ignore[operator]
    torch.testing.assert_close(net.features(x), pre_logits)
    assert {entry.partition(".")[0] for entry in net.state_dict()} == {"features", "head"}
    assert scope(net, ["@norm"])
    assert scope(net, ["@head"]) < scope(net, ["*"])


@needs_timm
def test_a_norm_of_timms_own_is_a_norm() -> None:
    net = create(fedmed.TimmModel(name="convnextv2_atto"), channels=1, outputs=2, side=64, seed=0)
    assert any(".grn." in name for name in scope(net, ["@norm"]))


@needs_timm
def test_it_trains_in_a_run_with_a_local_head_and_again_to_the_same_bits(tmp_path: Path) -> None:
    def accuracies(folder: Path) -> list[float]:
        run = fedmed.Experiment(
            dataset=fedmed.SyntheticMulticlass(images=60, test_images=30, side=32, separation=1.0),
            model=fedmed.TimmModel(name="vit_tiny_patch16_224", drop_path=0.1),
            strategy=fedmed.FedPer(),
            clients=2,
            rounds=2,
            engine=fedmed.InprocessEngine(),
        ).run(directory=folder)
        return [row["val.loss"] for row in run.rounds]

    first = accuracies(tmp_path / "a")
    assert first == accuracies(tmp_path / "b")


@needs_timm
def test_what_does_not_fit_is_refused_with_words() -> None:
    with pytest.raises(UserError, match=r"model\.name: expected .*timm's, got resnet_18\. Did you mean .*resnet18"):
        fedmed.TimmModel(name="resnet_18")
    with pytest.raises(UserError, match=r"got 32, at which resnet18 says: .*Set dataset\.resize=64"):
        create(fedmed.TimmModel(name="resnet18"), channels=1, outputs=2, side=32, seed=0)
    with pytest.raises(UserError, match=r"one classifier, got deit_tiny_distilled_patch16_224.*without distillation"):
        create(fedmed.TimmModel(name="deit_tiny_distilled_patch16_224"), channels=1, outputs=2, side=32, seed=0)
    with pytest.raises(UserError, match=r"vgg11, which says: TypeError.*drop_path.*leave out"):
        create(fedmed.TimmModel(name="vgg11", drop_path=0.1), channels=1, outputs=2, side=32, seed=0)


def test_a_missing_timm_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"model=timm: expected the library timm, got none.*pip install --no-deps timm"):
        fedmed.TimmModel()
