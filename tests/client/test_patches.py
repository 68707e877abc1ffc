"""Patches to train on and windows to predict, of images and volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn

import fedmed
from fedmed import rng
from fedmed.api.run import load
from fedmed.client.patches import OVERLAP, cut, windows
from fedmed.data.examples import Examples
from fedmed.errors import UserError

SMALL: dict[str, Any] = {"images": 12, "test_images": 4, "side": 24, "patch": 16}


def numbered(*sides: int, rows: int = 5, channels: int = 2) -> Examples:
    """Every pixel its own number, and its mask the same."""
    y = torch.arange(rows * int(np.prod(sides))).view(rows, *sides)
    return Examples(torch.stack([y * (c + 1) for c in range(channels)], 1).float(), y)


@pytest.mark.parametrize("sides", [(9, 12), (7, 12, 9)])
def test_a_patch_is_a_square_or_cube_of_its_image_and_its_mask(sides: tuple[int, ...]) -> None:
    given = numbered(*sides)
    found = cut(given, 6, rng.generator(0, "test"))
    assert found.x.shape == (5, 2, *[6] * len(sides))
    assert torch.equal(found.x[:, 0].long(), found.y)
    assert torch.equal(found.x[:, 1], 2 * found.x[:, 0])
    for row, patch in enumerate(found.y):
        corner = tuple(int(at) for at in np.unravel_index(int(patch.flatten()[0]), given.y.shape)[1:])
        assert torch.equal(patch, given.y[(row, *(slice(at, at + 6) for at in corner))])


def test_every_corner_is_drawn_and_none_beyond() -> None:
    given, draw = numbered(8, 8, rows=64, channels=1), rng.generator(0, "test")
    corners = {tuple(np.argwhere(given.y[row].numpy() == patch[0, 0].item())[0]) for _ in range(4)
               for row, patch in enumerate(cut(given, 6, draw).y)}  # fmt: skip
    assert corners == {(top, left) for top in range(3) for left in range(3)}


def test_a_patch_of_the_whole_image_is_the_image() -> None:
    given = numbered(6, 6, 6)
    assert torch.equal(cut(given, 6, rng.generator(0, "test")).x, given.x)


def test_what_is_not_annotated_is_cut_along() -> None:
    given = numbered(8, 8)
    seen = torch.tensor([True, False, True, True, False]).view(-1, 1, 1)
    found = cut(Examples(given.x, given.y, seen), 4, rng.generator(0, "test"))
    assert found.seen is not None
    assert found.seen.shape == (5, 4, 4)
    assert found.seen.flatten(1).all(1).tolist() == seen.flatten().tolist()


def test_windows_over_a_volume_are_those_of_monai_and_cover_all_of_it() -> None:
    torch.manual_seed(0)
    net, x = nn.Conv3d(1, 2, 1), torch.rand(2, 1, 20, 13, 9)
    with torch.no_grad():
        found = windows(net, x, 8)
        expected = sliding_window_inference(x, (8, 8, 8), 4, net, OVERLAP, mode="gaussian")
        assert isinstance(expected, Tensor)
        assert torch.equal(found, expected)
        torch.testing.assert_close(found, net(x), atol=1e-5, rtol=1e-5)  # a net that sees no neighbours
        assert torch.equal(windows(net, x[:, :, :8, :8, :8], 8), net(x[:, :, :8, :8, :8]))


def small(**options: Any) -> Any:
    dataset = fedmed.SyntheticVolumes(**(SMALL | options))
    return {"dataset": dataset, "clients": 2, "rounds": 2, "batch_size": 4, "model": fedmed.UNet(channels=(4, 8))}


@pytest.mark.parametrize("strategy", [fedmed.FedAvg(), fedmed.FedIA(warmup_rounds=1, trigger="fixed_round")])
def test_a_run_on_patches_has_the_same_bits_on_a_pool_and_predicts_volumes_of_any_shape(
    strategy: Any, tmp_path: Path
) -> None:
    masks = fedmed.IncompleteMasksAnnotation()
    made = {
        name: fedmed.Experiment(**small(), strategy=strategy, annotation=masks, engine=engine).run(
            tmp_path / name, quiet=True
        )
        for name, engine in (("one", fedmed.InprocessEngine()), ("pool", fedmed.PoolEngine(workers=2)))
    }
    one, pool = (run.final for run in made.values())
    assert {k: one[k] for k in one if k.startswith(("test.", "client."))} == {
        k: pool[k] for k in pool if k.startswith(("test.", "client."))
    }
    x = torch.randint(256, (2, 1, 20, 24, 17)).to(torch.uint8)
    assert load(tmp_path / "one").predict(x).prediction.shape == (2, 20, 24, 17)


def test_images_of_a_segmentation_are_cut_too(tmp_path: Path) -> None:
    dataset = fedmed.SyntheticSegmentation(images=24, test_images=4, side=32, patch=16)
    run = fedmed.Experiment(dataset=dataset, clients=2, rounds=1, model=fedmed.UNet(channels=(4, 8))).run(
        tmp_path / "run", quiet=True
    )
    assert run.final["test.dice"] >= 0


def test_patches_that_cannot_be_cut_are_refused_together() -> None:
    wrong = small(task="multiclass", patch=40) | {"model": fedmed.SmallCnn()}
    with pytest.raises(UserError) as refused:
        fedmed.describe(fedmed.Experiment(**wrong))
    assert [fault.where for fault in refused.value.faults] == ["dataset.patch", "dataset.patch"]
    assert "at most 24, the shortest side" in str(refused.value)


def test_masks_that_move_by_patches_are_not_corrected_in_the_pass() -> None:
    from fedmed.run.parts import build_parts

    strategy = fedmed.FedIA(warmup_rounds=1, trigger="fixed_round", when="in_pass")
    with pytest.raises(UserError, match="masks that stay in place for when=in_pass"):
        build_parts(fedmed.Experiment(**small(), strategy=strategy))
