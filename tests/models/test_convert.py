"""Weights of others in a model's names: by name, by order, from files of several forms; and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmed.cli.main import main
from fedmed.errors import UserError
from fedmed.models.convert import convert
from fedmed.models.densenet121 import DenseNet121
from fedmed.models.dynunet import DynUNet
from fedmed.models.efficientnet_b0 import EfficientNetB0
from fedmed.models.net import Model
from fedmed.models.resnet18 import ResNet18
from fedmed.models.segresnet import SegResNet
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import create
from fedmed.models.swin_unetr import SwinUNETR

RESNET = ResNet18(stem_stride=2)


def named_as_torchvision(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.replace("features.", "").replace("head.", "fc."): value for name, value in weights.items()}


def named_as_hugging_face(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """ResNetForImageClassification: blocks count stages, and a block's projection stands before its layers."""
    found: dict[str, Tensor] = {}
    for name, value in sorted(weights.items(), key=lambda item: _place(item[0])):
        parts = name.split(".")[1:]
        if name.startswith("head."):
            found[f"classifier.1.{parts[-1]}"] = value
        elif parts[0] in {"conv1", "bn1"}:
            kind = "convolution" if parts[0] == "conv1" else "normalization"
            found[f"resnet.embedder.embedder.{kind}.{parts[-1]}"] = value
        else:
            front = f"resnet.encoder.stages.{int(parts[0][-1]) - 1}.layers.{parts[1]}"
            norm = parts[2].startswith("bn") or parts[2:4] == ["downsample", "1"]
            layer = "shortcut" if parts[2] == "downsample" else f"layer.{int(parts[2][-1]) - 1}"
            found[f"{front}.{layer}.{'normalization' if norm else 'convolution'}.{parts[-1]}"] = value
    return found


def _place(name: str) -> tuple[bool, list[str], bool]:
    parts = name.split(".")
    return name.startswith("head."), parts[1:3] if "layer" in name else [""], "downsample" not in name


def net(model: Model, channels: int = 3, outputs: int = 5, seed: int = 1) -> nn.Module:
    return create(model, channels=channels, outputs=outputs, side=64, seed=seed)


@pytest.mark.parametrize("rename", [dict, named_as_torchvision, named_as_hugging_face])
@pytest.mark.parametrize("front", ["", "module."])
def test_a_resnet_of_others_computes_the_same(rename: object, front: str) -> None:
    theirs, ours = net(RESNET).eval(), create(RESNET, channels=3, outputs=5, side=64, seed=2)
    given = {f"{front}{name}": value for name, value in rename(theirs.state_dict()).items()}  # type: ignore[operator]
    found = convert(given, ours)
    ours.load_state_dict(found.weights)
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(ours.eval()(x), theirs(x))
    assert found.how == ("order and shape" if rename is named_as_hugging_face else "name")
    assert not found.unused


def test_another_head_is_left_and_said() -> None:
    given = named_as_torchvision(net(RESNET, outputs=7).state_dict())
    found = convert(given, create(RESNET, channels=3, outputs=5, side=64, seed=2))
    assert not [name for name in found.weights if name.startswith("head.")]
    assert found.unused == ("fc.weight", "fc.bias")
    assert "the head begins anew" in found.report()
    assert "not used: fc.weight, fc.bias" in found.report()


@pytest.mark.parametrize("rename", [named_as_torchvision, named_as_hugging_face])
def test_filters_for_colours_are_added_up_for_images_of_one_channel(rename: object) -> None:
    theirs = net(RESNET).eval()
    ours = create(RESNET, channels=1, outputs=5, side=64, seed=2)
    found = convert(rename(theirs.state_dict()), ours)  # type: ignore[operator]
    ours.load_state_dict(found.weights)
    x = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(ours.eval()(x), theirs(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)
    assert "Filters brought to the channels of the images: features.conv1.weight." in found.report()


def test_a_densenet_whose_blocks_are_named_otherwise() -> None:
    theirs = net(DenseNet121()).eval()
    given = {n.replace("blocks.", "").replace("layers.", ""): v for n, v in theirs.state_dict().items()}
    ours = create(DenseNet121(), channels=3, outputs=5, side=64, seed=2)
    ours.load_state_dict(convert(given, ours).weights)
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(ours.eval()(x), theirs(x))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_filters_are_repeated_at_equal_sums_for_more_channels(channels: int) -> None:
    theirs, ours = net(RESNET, channels=1).eval(), create(RESNET, channels=channels, outputs=5, side=64, seed=2)
    ours.load_state_dict(convert(named_as_torchvision(theirs.state_dict()), ours).weights)
    x = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(ours.eval()(x.expand(-1, channels, -1, -1)), theirs(x), rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_named() -> None:
    given = named_as_torchvision(net(RESNET).state_dict())
    given["layer3.0.bn2.weigth"] = given.pop("layer3.0.bn2.weight")
    with pytest.raises(
        UserError, match=r"an entry features\.layer3\.0\.bn2\.weight \[256\], got none\. Did you mean lay"
    ):
        convert(given, create(RESNET, channels=3, outputs=5, side=64, seed=2))
    small = create(SmallCnn(), channels=3, outputs=5, side=28, seed=0)
    with pytest.raises(UserError, match=r"an entry features\.linear\.weight .* Unused of the file: conv1\.weight"):
        convert(named_as_torchvision(net(RESNET).state_dict()), small)
    wide = create(SmallCnn(width=8), channels=3, outputs=5, side=28, seed=0).state_dict()
    with pytest.raises(UserError, match=r"block1\.conv\.weight of shape \[16, 3, 5, 5\], got \[8, 3, 5, 5\]") as error:
        convert(wide, small)
    assert len(error.value.faults) == 5


def test_a_part_that_the_file_lacks_is_left_and_said() -> None:
    model = SwinUNETR(width=12)
    theirs = create(model, channels=1, outputs=2, side=64, seed=1).state_dict()
    encoder = {f"module.{n.split('.', 2)[2]}": v for n, v in theirs.items() if ".swinViT." in n}
    ours = create(model, channels=1, outputs=2, side=64, seed=2)
    found = convert(encoder, ours)
    assert found.weights.keys() == {name for name in theirs if ".swinViT." in name}
    assert "Not in the file, begun anew: features.body.encoder1.layer.conv1.conv.weight" in found.report()
    encoder.pop("module.swinViT.layers1.0.blocks.0.norm1.bias")
    with pytest.raises(UserError, match=r"an entry features\.body\.swinViT\.layers1\.0\.blocks\.0\.norm1\.bias"):
        convert(encoder, ours)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_dynunet_of_monais_whose_layers_have_two_names_each(channels: int) -> None:
    from monai.networks.nets.dynunet import DynUNet as WholeDynUNet

    steps = {"kernel_size": (3, 3, 3), "strides": (1, 2, 2), "upsample_kernel_size": (2, 2), "filters": (4, 8, 16)}
    theirs = WholeDynUNet(2, channels, 3, **steps).eval()
    ours = create(DynUNet(channels=(4, 8, 16)), channels=channels, outputs=3, side=16, seed=2)
    found = convert(theirs.state_dict(), ours)
    ours.load_state_dict(found.weights)
    x = torch.rand(2, channels, 16, 16)
    torch.testing.assert_close(ours.eval()(x), theirs(x))
    assert found.whole
    kinds = {n: v for n, v in theirs.state_dict().items() if not n.startswith("skip_layers")}
    ours.load_state_dict(convert({n: v.clone() for n, v in kinds.items()}, ours).weights)
    torch.testing.assert_close(ours.eval()(x), theirs(x))


@pytest.mark.parametrize("name", ["segresnet", "swin_unetr", "efficientnet_b0"])
def test_weights_of_monais_own_networks(name: str) -> None:
    from monai.networks import nets

    model, theirs = {
        "segresnet": lambda: (SegResNet(width=4), nets.SegResNet(2, 4, 1, 3, norm=("group", {"num_groups": 4}))),
        "swin_unetr": lambda: (SwinUNETR(width=12), nets.SwinUNETR(1, 3, feature_size=12, spatial_dims=2)),
        "efficientnet_b0": lambda: (
            EfficientNetB0(),
            nets.EfficientNetBN("efficientnet-b0", False, in_channels=1, num_classes=3),
        ),
    }[name]()
    ours = create(model, channels=1, outputs=3, side=64, seed=2)
    found = convert({f"model.backbone.{n}": v for n, v in theirs.state_dict().items()}, ours)
    assert found.whole, found.report()
    same = zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True)
    assert all(torch.equal(found.weights[entry], value) for (entry, _), value in same)


def test_the_teacher_of_a_pair_is_left_alone() -> None:
    theirs, teacher = net(RESNET).state_dict(), net(RESNET, seed=3).state_dict()
    pair = {f"student.{n}": v for n, v in named_as_torchvision(theirs).items()}
    pair |= {f"teacher.{n}": v for n, v in named_as_torchvision(teacher).items()}
    found = convert(pair, create(RESNET, channels=3, outputs=5, side=64, seed=2))
    assert torch.equal(found.weights["features.conv1.weight"], theirs["features.conv1.weight"])
    assert torch.equal(found.weights["head.weight"], theirs["head.weight"])
    assert "Of the file not used: teacher.conv1.weight" in found.report()


def test_the_command_writes_what_a_run_starts_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = SmallCnn(width=2)
    plain = create(model, channels=1, outputs=3, side=8, seed=3)
    renamed = {name.replace("features.", "body."): value.contiguous() for name, value in plain.state_dict().items()}
    save_file(renamed, tmp_path / "theirs.safetensors")
    options = ["--model", "small_cnn", "model.width=2", "--channels", "1", "--side", "8"]
    out = tmp_path / "w.safetensors"
    assert main(["models", "convert", str(tmp_path / "theirs.safetensors"), *options, "--out", str(out)]) == 0
    assert "entries by name; the head begins anew" in capsys.readouterr().out
    begun = create(SmallCnn(width=2, weights=str(out)), channels=1, outputs=4, side=8, seed=9)
    assert torch.equal(begun.state_dict()["features.linear.weight"], plain.state_dict()["features.linear.weight"])
    assert main(["models", "convert", str(tmp_path / "none"), *options, "--out", str(out)]) == 2
