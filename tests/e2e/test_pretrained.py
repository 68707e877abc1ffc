"""From a file of another library's weights to a run that begins with them, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import fedmed
from fedmed.models.net import Model
from fedmed.models.without_torchvision import imported


def resnet18() -> nn.Module:
    """MONAI's with the shortcuts of the paper, whose names are torchvision's."""
    from monai.networks.nets import resnet

    return resnet.resnet18(spatial_dims=2, n_input_channels=1, num_classes=7, shortcut_type="B", bias_downsample=False)


def densenet121() -> nn.Module:
    from monai.networks.nets import DenseNet121

    return DenseNet121(2, 1, 7)


def efficientnet_b0() -> nn.Module:
    from monai.networks.nets import EfficientNetBN

    return EfficientNetBN("efficientnet-b0", pretrained=False, in_channels=1, num_classes=7)


def of_timm(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        try:
            timm = imported("timm")
        except ImportError:
            pytest.skip("needs timm: make models")
        made: nn.Module = timm.create_model(name, in_chans=1, num_classes=7)
        return made

    return make


ROWS = {
    "monai_resnet18": (resnet18, fedmed.ResNet18, 20),
    "monai_densenet121": (densenet121, fedmed.DenseNet121, 61),
    "monai_efficientnet_b0": (efficientnet_b0, fedmed.EfficientNetB0, 33),
    "timm_resnet18": (of_timm("resnet18"), fedmed.ResNet18, 20),
    "timm_densenet121": (of_timm("densenet121"), fedmed.DenseNet121, 61),
    "timm_efficientnet_b0": (of_timm("tf_efficientnet_b0"), fedmed.EfficientNetB0, 33),
}


@pytest.mark.parametrize("row", [pytest.param(row, marks=[pytest.mark.slow] * ("timm" in row)) for row in ROWS])
def test_a_run_begins_with_the_weights_of_another_library(
    row: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs, model, side = ROWS[row]
    network = theirs()
    torch.save({"state_dict": {f"module.{n}": v for n, v in network.state_dict().items()}}, tmp_path / "theirs.pth")
    chosen: Model = model(weights=str(tmp_path / "theirs.pth"), freeze=("features.*",))
    run = fedmed.Experiment(
        dataset=fedmed.SyntheticMulticlass(images=8, test_images=4, side=side, classes=3),
        model=chosen,
        clients=2,
        rounds=1,
        engine=fedmed.InprocessEngine(),
    ).run(tmp_path / "run")
    trained = load_file(run.export())
    body = [value for name, value in network.named_parameters() if value.shape[0] != 7]
    kept = [trained[name] for name in trained if name.startswith("features.") and "running" not in name]
    kept = [value for value in kept if value.dtype.is_floating_point]
    assert len(kept) == len(body)
    assert all(
        torch.equal(ours, value) for ours, value in zip(sorted_by_content(kept), sorted_by_content(body), strict=True)
    )
    shown = capfd.readouterr()
    assert "the head begins anew" in shown.out + shown.err


def sorted_by_content(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """In an order that two libraries share: by shape, then by the first numbers."""
    return sorted(tensors, key=lambda each: (list(each.shape), each.flatten()[:8].tolist()))
