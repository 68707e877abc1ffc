"""What every model must keep, one row per file in fedmed/models."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import fedmed.models
from fedmed.models.densenet121 import DenseNet121
from fedmed.models.dynunet import DynUNet
from fedmed.models.efficientnet_b0 import EfficientNetB0
from fedmed.models.net import Model
from fedmed.models.resnet10 import ResNet10
from fedmed.models.resnet18 import ResNet18
from fedmed.models.segresnet import SegResNet
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import create
from fedmed.models.swin_unetr import SwinUNETR
from fedmed.models.unet import UNet
from fedmed.models.vit import ViT

# A model and the number of its features.
MODELS = {
    "small_cnn": (SmallCnn(), 96),
    "small_cnn_batch": (SmallCnn(norm="batch", dropout=0.1), 96),
    "small_cnn_features": (SmallCnn(features=5), 5),
    "small_cnn_group": (SmallCnn(norm="group", width=6), 96),
    "resnet18": (ResNet18(), 512),
    "resnet10": (ResNet10(stem_stride=2), 512),
    "resnet18_stride2": (ResNet18(stem_stride=2), 512),
    "densenet121": (DenseNet121(), 1024),
    "efficientnet_b0": (EfficientNetB0(drop_path=0.0), 1280),
    "vit": (ViT(), 96),
    "vit_patch8": (ViT(patch=8, width=6, heads=3, depth=1, dropout=0.1), 6),
    "segresnet": (SegResNet(), 8),
    "segresnet_batch": (SegResNet(norm="batch", width=4, blocks=(1, 1)), 4),
    "dynunet": (DynUNet(), 16),
    "dynunet_residual": (DynUNet(channels=(4, 6, 8), norm="batch", residual=True), 4),
    "swin_unetr": (SwinUNETR(width=12), 12),
    "unet": (UNet(), 16),
    "unet_group": (UNet(norm="group", channels=(6, 8)), 6),
    "unet_instance": (UNet(norm="instance", residual_units=0), 16),
}

rows = pytest.mark.parametrize("name", MODELS)


def images(count: int, channels: int, side: int) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1))


def sides(model: Model) -> list[int]:
    """The smallest side, the next one, and a usual one."""
    return [model.min_side, model.min_side + model.multiple, *(side for side in (64,) if side > model.min_side)]


def test_every_model_has_a_row() -> None:
    folder = Path(fedmed.models.__file__).parent
    others = {"__init__", "by_order", "content", "convert", "net", "residual", "split", "start", "tensor_files"}
    files = {path.stem for path in folder.glob("*.py")} - others - {"timm", "torch", "without_torchvision"}
    assert files <= set(MODELS)


@rows
@pytest.mark.parametrize("channels", [1, 3])
def test_a_net_is_features_and_head(name: str, channels: int) -> None:
    model, width = MODELS[name]
    for side in sides(model):
        net = create(model, channels=channels, outputs=4, side=side, seed=0).eval()
        x = images(2, channels, side)
        features = net.features(x)
        spatial = (side, side) if "segmentation" in model.tasks else ()
        assert features.shape == (2, width, *spatial)
        assert net(x).shape == (2, 4, *spatial)
        assert torch.equal(net(x), net.head(features))
        assert {entry.partition(".")[0] for entry in net.state_dict()} == {"features", "head"}


VOLUMES = {"small_cnn": 4, "small_cnn_batch": 4, "resnet18": 17, "unet": 16, "unet_group": 4, "unet_instance": 16}
VOLUMES |= {"segresnet": 16, "segresnet_batch": 4, "dynunet": 16, "dynunet_residual": 8}


@pytest.mark.parametrize("name", [*VOLUMES, pytest.param("swin_unetr", marks=pytest.mark.slow)])
def test_a_net_for_volumes_takes_a_step_and_lies_in_memory_as_its_volumes(name: str) -> None:
    (model, width), side = MODELS[name], VOLUMES.get(name, 64)
    net = create(model, channels=2, outputs=4, side=side, seed=0, dimensions=3)
    x = torch.rand(2, 2, *(side,) * 3).contiguous(memory_format=torch.channels_last_3d)
    spatial = (side,) * 3 if "segmentation" in model.tasks else ()
    features = net.features(x)
    assert (features.shape, net(x).shape) == ((2, width, *spatial), (2, 4, *spatial))
    F.cross_entropy(net(x), torch.zeros(2, *spatial, dtype=torch.int64)).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    kernels = [p for p in net.parameters() if p.dim() == 5]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last_3d) for p in kernels)


@rows
@pytest.mark.parametrize("count", [1, 3])
def test_a_step_reaches_every_parameter_even_on_one_image_of_the_smallest_side(name: str, count: int) -> None:
    model, _ = MODELS[name]
    net = create(model, channels=1, outputs=4, side=model.min_side, seed=0)
    logits = net(images(count, 1, model.min_side))
    F.cross_entropy(logits, torch.zeros(count, *logits.shape[2:], dtype=torch.int64)).backward()
    assert [entry for entry, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", sorted(set(MODELS) - {"unet_group", "segresnet"}))  # groups need no second pixel
def test_a_smaller_side_does_not_work(name: str) -> None:
    model, _ = MODELS[name]
    side = model.min_side - model.multiple
    with pytest.raises((ValueError, RuntimeError)):
        model.build(1, 4, side)(images(1, 1, side))


@rows
def test_equal_seeds_give_equal_weights_and_the_layout_changes_none(name: str) -> None:
    model, _ = MODELS[name]
    first, again, plain, other = (
        create(replace(model, channels_last=last), channels=1, outputs=4, side=model.min_side, seed=seed).state_dict()
        for last, seed in ((True, 0), (True, 0), (False, 0), (True, 1))
    )
    assert all(torch.equal(first[entry], again[entry]) and torch.equal(first[entry], plain[entry]) for entry in first)
    assert any(not torch.equal(first[entry], other[entry]) for entry in first)


@pytest.mark.parametrize("model", [UNet(), UNet(channels=(8, 16))])
def test_a_unet_needs_sides_that_halve(model: UNet) -> None:
    side = 2 * model.min_side + model.multiple // 2
    net = model.build(1, 2, side)
    with pytest.raises((RuntimeError, AssertionError)):
        assert net(images(1, 1, side)).shape[-1] == side


def test_the_small_cnn_is_the_yardstick() -> None:
    net = SmallCnn().build(1, 9, 28)
    assert sum(p.numel() for p in net.parameters()) == 164_745
    x = images(2, 1, 28)
    w = dict(net.named_parameters())
    hidden = x
    for block in ("block1", "block2"):
        hidden = F.conv2d(hidden, w[f"features.{block}.conv.weight"], w[f"features.{block}.conv.bias"], padding=2)
        hidden = F.max_pool2d(F.relu(hidden), 2)
    hidden = F.relu(F.linear(hidden.flatten(1), w["features.linear.weight"], w["features.linear.bias"]))
    torch.testing.assert_close(net(x), F.linear(hidden, w["head.weight"], w["head.bias"]))


@pytest.mark.parametrize("side", [4, 5, 7, 28])
def test_the_small_cnn_computes_the_same_with_and_without_a_gradient(side: int) -> None:
    net = SmallCnn().build(3, 4, side)
    x = images(6, 3, side)
    x[0, 0, 0, 0] = torch.nan
    with torch.no_grad():
        without = net(x)
    assert net(x).requires_grad
    assert torch.equal(without[1:], net(x)[1:])
    assert without[0].isnan().all()
    assert net(x)[0].isnan().all()


def test_dropout_of_the_small_cnn_is_in_its_head() -> None:
    net = SmallCnn(dropout=0.5).build(1, 4, 8)
    x = images(8, 1, 8)
    assert torch.equal(net.features(x), net.features(x))
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("name", ["densenet121", "efficientnet_b0"])
def test_the_split_computes_what_monai_does(name: str) -> None:
    from monai.networks.nets.densenet import DenseNet121 as WholeDenseNet
    from monai.networks.nets.efficientnet import EfficientNetBN

    whole = WholeDenseNet(2, 3, 4) if name == "densenet121" else EfficientNetBN("efficientnet-b0", False, num_classes=4)
    model = DenseNet121() if name == "densenet121" else EfficientNetB0(drop_path=0.0, norm_momentum=1.0)
    split, x = model.build(3, 4, 224), images(2, 3, 224)
    with torch.no_grad():
        split(x)  # fills the running statistics: at their start the signal fades to nothing
        whole.load_state_dict(dict(zip(whole.state_dict(), split.state_dict().values(), strict=True)))
        expected = whole.eval()(x)
        assert expected.std() > 0.01
        torch.testing.assert_close(split.eval()(x), expected)


def test_the_gradient_passes_the_shortcuts_of_the_resnet() -> None:
    net = ResNet18().build(1, 2, 17)
    assert sum(p.numel() for p in ResNet18().build(3, 1000, 32).parameters()) == 11_689_512  # as published
    assert sum(p.numel() for p in ResNet10().build(3, 10, 32).parameters()) == 4_910_922
    projections = [p for entry, p in net.named_parameters() if "downsample" in entry]
    net(images(2, 1, 17)).sum().backward()
    assert len(projections) == 9
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in projections)


@pytest.mark.parametrize("model", [UNet(), UNet(residual_units=0), SmallCnn(norm="batch"), ResNet18()])
def test_no_convolution_has_a_bias_that_a_normalisation_takes_away(model: Model) -> None:
    body = model.build(1, 4, 32).features
    assert [
        entry for entry, layer in body.named_modules() if isinstance(layer, nn.Conv2d) and layer.bias is not None
    ] == []


@pytest.mark.parametrize("name", ["unet", "segresnet", "dynunet", pytest.param("swin_unetr", marks=pytest.mark.slow)])
def test_a_segmenter_learns_a_square(name: str) -> None:
    model, _ = MODELS[name]
    net = create(model, channels=1, outputs=2, side=model.min_side, seed=0)
    y = torch.zeros(4, *(model.min_side,) * 2, dtype=torch.int64)
    y[:, : model.min_side // 2, : model.min_side // 2] = 1
    x = 0.3 * images(4, 1, model.min_side) + 0.7 * y[:, None]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_unet_of_one_level_is_refused() -> None:
    from fedmed.errors import UserError

    with pytest.raises(UserError, match=r"model\.channels: expected two levels"):
        UNet(channels=(16,))
    with pytest.raises(UserError, match=r"model\.channels: expected three levels"):
        DynUNet(channels=(16, 32))
    with pytest.raises(UserError, match=r"model\.blocks: expected two levels"):
        SegResNet(blocks=(1,))
    with pytest.raises(UserError, match=r"model\.width: expected a multiple of 12, got 40\. Set 36\."):
        SwinUNETR(width=40)


def test_importing_a_model_does_not_import_monai() -> None:
    names = ", ".join(f"fedmed.models.{path.stem}" for path in Path(fedmed.models.__file__).parent.glob("[!_]*.py"))
    code = f"import sys, {names}; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
