from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmed.errors import UserError
from fedmed.models.efficientnet_b0 import EfficientNetB0
from fedmed.models.net import Net
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import check, create, shape_faults
from fedmed.models.unet import UNet

SMALL = SmallCnn(width=2)


def start(model: SmallCnn = SMALL, *, outputs: int = 4, seed: int = 0, weights: Path | None = None) -> Net:
    chosen = replace(model, weights=None if weights is None else str(weights))
    return create(chosen, channels=1, outputs=outputs, side=8, seed=seed)


def saved(path: Path, entries: dict[str, Tensor]) -> Path:
    contiguous = {name: value.contiguous() for name, value in entries.items()}
    if path.suffix == ".safetensors":
        save_file(contiguous, path)
    else:
        torch.save(contiguous, path)
    return path


def test_the_global_generator_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state()
    start()
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_layout_is_as_asked() -> None:
    for last in (True, False):
        weight = start(SmallCnn(width=2, channels_last=last)).state_dict()["features.block2.conv.weight"]
        assert weight.is_contiguous(memory_format=torch.channels_last) is last


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_weights_come_from_the_file(tmp_path: Path, name: str) -> None:
    origin = start(seed=1).state_dict()
    net = start(weights=saved(tmp_path / name, origin))
    assert all(torch.equal(value, origin[entry]) for entry, value in net.state_dict().items())
    assert net.state_dict()["features.block2.conv.weight"].is_contiguous(memory_format=torch.channels_last)


def test_a_head_for_other_classes_stays_as_seeded(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.safetensors", start(outputs=7, seed=1).state_dict())
    net, own = start(weights=path).state_dict(), start().state_dict()
    assert torch.equal(net["head.weight"], own["head.weight"])
    assert not torch.equal(net["features.linear.weight"], own["features.linear.weight"])


def test_a_file_without_a_head_is_a_start(tmp_path: Path) -> None:
    body = {name: value for name, value in start(seed=1).state_dict().items() if name.startswith("features.")}
    net, own = start(weights=saved(tmp_path / "w.pt", body)).state_dict(), start().state_dict()
    assert torch.equal(net["features.linear.weight"], body["features.linear.weight"])
    assert torch.equal(net["head.weight"], own["head.weight"])


def test_half_a_head_of_the_right_shape_is_refused(tmp_path: Path) -> None:
    entries = start().state_dict()
    del entries["head.bias"]
    with pytest.raises(UserError, match=r"expected an entry head\.bias \[4\], got none"):
        start(weights=saved(tmp_path / "w.pt", entries))


def test_all_entries_that_do_not_fit_are_named(tmp_path: Path) -> None:
    entries = start().state_dict()
    entries["features.linear.weigth"] = entries.pop("features.linear.weight")
    entries["features.block1.conv.weight"] = torch.zeros(2, 3, 3, 3)
    with pytest.raises(UserError) as error:
        start(weights=saved(tmp_path / "w.safetensors", entries))
    message = str(error.value)
    assert len(error.value.faults) == 2
    assert "an entry features.linear.weight [96, 16], got none. Did you mean features.linear.weigth" in message
    assert "features.block1.conv.weight of shape [2, 1, 5, 5], got [2, 3, 3, 3]" in message


def test_long_lists_of_entries_are_cut(tmp_path: Path) -> None:
    entries = {f"other{i}": torch.zeros(i) for i in range(3)}
    with pytest.raises(UserError, match="1 more entries"):
        start(weights=saved(tmp_path / "w.pt", {**entries, "head.weight": torch.zeros(4, 96)}))


def test_what_a_file_had_is_said_where_it_was_not_all(tmp_path: Path) -> None:
    whole = {f"module.{name}": value for name, value in start(seed=1).state_dict().items()}
    net = start(weights=saved(tmp_path / "w.pt", whole))
    assert (net.begun, start().begun) == ("", "")
    assert torch.equal(net.head.weight, whole["module.head.weight"])
    begun = start(outputs=7, weights=tmp_path / "w.pt").begun
    assert begun.startswith(f"model.weights={tmp_path / 'w.pt'}: 6 entries by name; the head begins anew.")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_file_that_is_not_weights_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("not weights", encoding="utf-8")
    with pytest.raises(UserError, match="a safetensors file, or a torch file of tensors"):
        start(weights=path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="a mapping from entry names to tensors"):
        start(weights=tmp_path / "w.pt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none at"):
        start(weights=tmp_path / "absent.pt")


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(UserError, match=r"at least 33 pixels a side for efficientnet_b0, got 28.*dataset\.resize=33"):
        create(EfficientNetB0(), channels=3, outputs=2, side=28, seed=0)


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(UserError, match=r"a multiple of 8 pixels for unet, got 28.*dataset\.resize=(24|32)"):
        create(UNet(), channels=3, outputs=2, side=28, seed=0)


def test_a_model_for_images_alone_refuses_volumes() -> None:
    faults = [str(fault) for fault in check(EfficientNetB0(), "multiclass", 1, 20, dimensions=3)]
    assert len(faults) == 2
    assert faults[0].startswith("model: expected images of 2 dimensions for efficientnet_b0, got volumes, in 3.")
    with pytest.raises(UserError, match="got volumes, in 3"):
        create(EfficientNetB0(), channels=1, outputs=2, side=33, seed=0, dimensions=3)
    assert check(SMALL, "multiclass", 1, 20, dimensions=3) == []


def test_shapes_of_a_network_for_volumes_are_tried_on_a_volume() -> None:
    net = create(UNet(channels=(2, 4)), channels=1, outputs=4, side=8, seed=0, dimensions=3)
    assert shape_faults(net, "segmentation", channels=1, outputs=4, side=8, dimensions=3) == []
    flat = Net(nn.Flatten(), nn.Linear(512, 4))
    printed = str(shape_faults(flat, "segmentation", channels=1, outputs=4, side=8, dimensions=3)[0])
    assert "features (B, F, 8, 8, 8), got (B, 512)" in printed


def test_check_lists_every_fault_without_building() -> None:
    assert check(SMALL, "multiclass", 1, 28) == []
    faults = [str(fault) for fault in check(UNet(weights="absent.pt"), "multilabel", 0, 8)]
    assert len(faults) == 4
    for part in ("at least 16 pixels", "a model for multilabel, got unet for segmentation", "1 channel", "absent.pt"):
        assert any(part in fault for fault in faults)


def test_small_cnn_is_not_for_segmentation() -> None:
    assert [fault.where for fault in check(SMALL, "segmentation", 1, 28)] == ["model"]


def shapes(net: Net, task: str = "multiclass") -> list[str]:
    return [str(fault) for fault in shape_faults(net, task, channels=1, outputs=4, side=8)]


def test_a_network_that_keeps_its_word_has_no_fault_and_stays_as_it_was() -> None:
    net = start(SmallCnn(width=2, norm="batch"))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert shapes(net) == []
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert shapes(Net(nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 1)), "segmentation") == []


@pytest.mark.parametrize(
    ("features", "head", "task", "printed"),
    [
        (
            nn.Conv2d(1, 3, 3),
            nn.Sequential(nn.Flatten(), nn.LazyLinear(4)),
            "multiclass",
            "one feature vector per image",
        ),
        (nn.Flatten(), nn.Linear(64, 5), "multiclass", "logits (B, 4), got (B, 5)"),
        (nn.Flatten(), nn.Linear(60, 4), "multiclass", "a network for images of shape [1, 8, 8]"),
        (nn.Flatten(), nn.Linear(64, 4), "segmentation", "features (B, F, 8, 8), got (B, 64)"),
    ],
)
def test_a_network_of_other_shapes_is_refused(features: nn.Module, head: nn.Module, task: str, printed: str) -> None:
    assert printed in " ".join(shapes(Net(features, head), task))
