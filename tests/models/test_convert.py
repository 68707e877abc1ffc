"""Weights of others in a model's names: by name, by order, from files of several forms; and what does not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmed.cli.main import main
from fedmed.errors import UserError
from fedmed.models.convert import convert, read_foreign
from fedmed.models.densenet121 import DenseNet121
from fedmed.models.net import Model
from fedmed.models.resnet18 import ResNet18
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import create

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
    assert "Added up over channels, for images of one: features.conv1.weight" in found.report()


def test_a_densenet_whose_blocks_are_named_otherwise() -> None:
    theirs = net(DenseNet121()).eval()
    given = {n.replace("blocks.", "").replace("layers.", ""): v for n, v in theirs.state_dict().items()}
    ours = create(DenseNet121(), channels=3, outputs=5, side=64, seed=2)
    ours.load_state_dict(convert(given, ours).weights)
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(ours.eval()(x), theirs(x))


def test_what_does_not_fit_is_named() -> None:
    given = named_as_torchvision(net(RESNET).state_dict())
    del given["layer3.0.bn2.weight"]
    with pytest.raises(UserError, match=r"none for features\.layer3\.0\.bn2\.weight \[256\]\. Not used of the file"):
        convert(given, create(RESNET, channels=3, outputs=5, side=64, seed=2))
    with pytest.raises(UserError, match=r"features\.linear\.bias \[96\]\. Not used of the file: conv1\.weight"):
        convert(
            named_as_torchvision(net(RESNET).state_dict()), create(SmallCnn(), channels=3, outputs=5, side=28, seed=0)
        )


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_files_of_several_forms_are_read(tmp_path: Path, wrapper: str | None) -> None:
    weights = {"conv.weight": torch.ones(2)}
    torch.save({wrapper: weights, "epoch": 3} if wrapper else weights, tmp_path / "w.bin")
    assert torch.equal(read_foreign(tmp_path / "w.bin")["conv.weight"], torch.ones(2))


def test_a_pickle_of_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "net.pt")
    (tmp_path / "any.pkl").write_bytes(pickle.dumps(Path("x")))
    torch.save({"state_dict": {"a": torch.ones(1), "epoch": 3}}, tmp_path / "mixed.pt")
    for name, words in (
        ("net.pt", "torch file of tensors"),
        ("any.pkl", "torch file"),
        ("mixed.pt", "names to tensors"),
    ):
        with pytest.raises(UserError, match=words):
            read_foreign(tmp_path / name)
    with pytest.raises(UserError, match="expected a file, got none"):
        read_foreign(tmp_path / "absent.pt")


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
