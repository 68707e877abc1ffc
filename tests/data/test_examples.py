"""Volumes on their way into a world: resized, normalised, shifted, augmented, annotated, with their spacing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import label
from torch import Tensor

from fedmed import rng
from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.augment import StandardAugment
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Dataset, Examples, Table
from fedmed.data.incomplete_masks import drop_objects, erode, move, objects, overlook
from fedmed.data.normalise import normaliser
from fedmed.data.painting import blurred as gaussian
from fedmed.data.partition.sizes import IidPartition
from fedmed.data.pooled import pooled
from fedmed.data.prepare import prepare, presence
from fedmed.data.shift import NoneShift, ScannerShift
from fedmed.data.views import view
from fedmed.data.world import World, build_world
from fedmed.errors import UserError

STILL = StandardAugment(flip=False, rotate=0, translate=0, scale=0, brightness=0)


def volumes(n: int = 6, *, sides: tuple[int, int, int] = (6, 8, 8), channels: int = 2) -> Tensor:
    return torch.randint(256, (n, channels, *sides), generator=rng.generator(0, "test volumes")).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Given(Dataset):
    """Volumes with a bright ball each."""

    sides: tuple[int, int, int] = (8, 8, 8)
    spacing: tuple[float, ...] | None = (3.0, 1.0, 1.0)

    def load(self) -> Table:
        x = volumes(20, sides=self.sides, channels=1)
        y = (x[:, 0] > 200).to(torch.uint8)
        spacing = None if self.spacing is None else np.tile(self.spacing, (20, 1))
        return Table(examples=Examples(x, y), task="segmentation", classes=2, spacing=spacing)


def world_of(dataset: Dataset, **options: Any) -> World:
    usual: dict[str, Any] = {"partition": IidPartition(), "annotation": CompleteAnnotation(), "shift": NoneShift()}
    return build_world(dataset, **(usual | {"clients": 2, "client_test": 0.0, "seed": 0} | options))


def test_a_world_of_volumes_knows_its_dimensions_and_keeps_the_spacing_where_it_is_measured() -> None:
    world = world_of(Given())
    assert (world.channels, world.side, world.dimensions) == (1, 8, 3)
    for examples in (world.test, *(part for share in world.shares for part in (share.val, share.test))):
        assert examples.spacing is not None
        assert examples.spacing.shape == (len(examples), 3)
    together = pooled(world).shares[0]
    assert together.val.spacing is not None
    assert len(together.val.spacing) == len(together.val)


def test_volumes_become_cubes_and_their_spacing_grows_as_pixels_get_fewer() -> None:
    table = prepare(Given(sides=(12, 8, 8), resize=4))
    assert table.examples.x.shape == (20, 1, 4, 4, 4)
    assert table.examples.y.shape == (20, 4, 4, 4)
    assert table.examples.spacing is not None
    assert table.examples.spacing[0].tolist() == [9.0, 2.0, 2.0]
    with pytest.raises(UserError, match="expected cubes, got 12 x 8 x 8 pixels"):
        prepare(Given(sides=(12, 8, 8)))


def test_a_volume_is_made_smaller_as_its_slices_are_and_then_along_them() -> None:
    x = torch.zeros(1, 1, 8, 8, 8)
    x[..., :4] = 1
    scaled = prepare(_Floats(values=x, resize=4)).examples.x
    of_slices = F.interpolate(x[:, 0], (4, 4), mode="bilinear", antialias=True)
    torch.testing.assert_close(scaled[:, 0], of_slices[:, ::2])
    for axes in ((2, 4), (3, 4)):  # smoothed alike along all axes
        turned = prepare(_Floats(values=x.transpose(*axes).contiguous(), resize=4)).examples.x
        torch.testing.assert_close(turned.transpose(*axes), scaled)


@dataclass(frozen=True, kw_only=True)
class _Floats(Dataset):
    values: Any = None

    def load(self) -> Table:
        return Table(examples=Examples(self.values, torch.zeros(1, dtype=torch.int64)), task="multiclass", classes=2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.0, 1.0, 1.0)])
def test_a_spacing_that_is_none_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"spacing of shape \(20, 3\), all above 0"):
        prepare(Given(spacing=spacing))


def test_volumes_are_standardised_by_channel_or_each_by_itself() -> None:
    x = volumes()
    by_dataset = normaliser("dataset", [x[:4], x[4:]])(x)
    torch.testing.assert_close(by_dataset.mean((0, 2, 3, 4)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(by_dataset.std((0, 2, 3, 4)), torch.ones(2), atol=1e-3, rtol=0)
    each = normaliser("image", [x])(x)
    torch.testing.assert_close(each.flatten(1).mean(1), torch.zeros(6), atol=1e-4, rtol=0)


def test_a_batch_of_evaluation_may_be_one_volume() -> None:
    large = Examples(torch.empty(3, 1, 64, 64, 64, dtype=torch.uint8), torch.zeros(3))
    assert [part.stop - part.start for part in evaluation_slices(large)] == [1, 1, 1]


def test_presence_of_classes_in_volumes() -> None:
    y = torch.zeros(2, 3, 3, 3, dtype=torch.uint8)
    y[1, 2, 2, 2] = 2
    found = presence(Examples(torch.zeros(2, 1, 3, 3, 3), y), "segmentation", 3)
    assert found.tolist() == [[True, False, False], [True, False, True]]


def test_a_scanner_takes_volumes_and_every_domain_has_its_own() -> None:
    x = volumes(channels=1)
    shift = ScannerShift(strength=1.0)
    one, again, other = (shift.apply(x, domain, 0) for domain in (0, 0, 1))
    assert one.shape == x.shape
    assert one.dtype == torch.uint8
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(ScannerShift(strength=0.0).apply(x, 0, 0), x)


def test_a_scanner_blurs_a_volume_alike_along_all_axes() -> None:
    x = torch.zeros(1, 1, 9, 9, 9)
    x[0, 0, 4, 4, 4] = 1
    blurred = gaussian(x, 1.0)
    torch.testing.assert_close(blurred.sum(), torch.tensor(1.0))
    for axes in ((2, 4), (3, 4)):
        torch.testing.assert_close(blurred.transpose(*axes), blurred)


def test_masks_move_with_their_volumes() -> None:
    x = torch.zeros(8, 1, 9, 9, 9)
    x[:, 0, 2:6, 3:6, 1:5] = 1
    y = x[:, 0].to(torch.uint8)
    moved, mask = StandardAugment(rotate=20, translate=0.2, scale=0.1, brightness=0).apply(
        x, y, rng.generator(1, "test")
    )
    assert mask.dtype == torch.uint8
    assert not torch.equal(mask, y)
    assert ((moved[:, 0] > 0.5) == (mask > 0)).float().mean() > 0.97
    centres = [(mask.sum((2, 3)) * torch.arange(9)).sum(1) / mask.sum((1, 2, 3)) for mask in (y, mask)]
    assert (centres[0] - centres[1]).abs().max() > 0.3, "along the first axis too"


def test_half_of_the_volumes_are_mirrored_left_to_right_and_nothing_else() -> None:
    x = volumes(16).float()
    flipped, _ = StandardAugment(rotate=0, translate=0, scale=0, brightness=0).apply(
        x, torch.zeros(16), rng.generator(0, "test")
    )
    same = [bool(torch.allclose(a, b, atol=1e-2)) for a, b in zip(x, flipped, strict=True)]
    mirrored = [bool(torch.allclose(a.flip(-1), b, atol=1e-2)) for a, b in zip(x, flipped, strict=True)]
    assert all(one != other for one, other in zip(same, mirrored, strict=True))
    assert 2 < sum(same) < 14


@pytest.mark.parametrize(
    "change", [{"gamma": 0.5}, {"blur": 1.0}, {"resolution": 0.4}, {"brightness": 0.3}, {"noise": 0.1}]
)
def test_intensities_of_volumes_vary_and_masks_stay(change: dict[str, float]) -> None:
    x, y = volumes().float() / 255, torch.ones(6, 6, 8, 8, dtype=torch.uint8)
    varied, mask = replace(STILL, **change).apply(x, y, rng.generator(0, "test"))
    assert varied.shape == x.shape
    assert varied.isfinite().all()
    assert not torch.equal(varied, x)
    assert mask is y


def test_a_blurred_volume_is_as_its_slices_where_nothing_changes_across_them() -> None:
    flat = volumes(3, sides=(1, 8, 8), channels=1).float()
    of_volumes, of_images = (
        replace(STILL, blur=1.0).apply(x, torch.zeros(3), rng.generator(0, "test"))[0]
        for x in (flat.expand(-1, -1, 4, -1, -1), flat[:, :, 0])
    )
    # the first draws are one more for each volume, so that only shapes and smoothness are alike
    assert of_volumes.shape[3:] == of_images.shape[2:]
    torch.testing.assert_close(of_volumes[:, :, 0], of_volumes[:, :, 3])


def test_a_strong_view_of_a_volume_has_a_cube_cut_out() -> None:
    x = volumes(4, sides=(8, 8, 8), channels=1).float()
    seen = view(x, "strong", rng.generator(0, "test"), moves=False)
    (count,) = {int((one == one.flatten().mode().values).sum()) for one in seen[:1]}
    assert 2**3 <= count <= 5**3


def test_objects_of_a_volume_are_those_of_scipy() -> None:
    mask = (np.random.default_rng(0).random((7, 8, 9)) < 0.2).astype(np.uint8)
    for connectivity, structure in ((4, None), (8, np.ones((3, 3, 3)))):
        found, count = objects(mask, connectivity)
        expected, number = label(mask, structure)
        assert count == number
        assert ((found > 0) == (mask > 0)).all()
        assert len(np.unique(np.stack([found, expected]).reshape(2, -1), axis=1).T) == number + 1


def test_every_way_to_annotate_a_volume_incompletely() -> None:
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[1:4, 1:4, 1:4] = mask[6:11, 6:11, 6:11] = 1
    draw = np.random.default_rng(0)
    assert drop_objects(mask, 0.5, True, 4, draw).given == 1
    assert overlook(mask, 0.5, 4, None).mask.sum() == 5**3
    image = np.where(mask, 9, 0).astype(np.uint8)[None]
    image[0, 6:, 6:, 6:] = np.where(mask[6:, 6:, 6:], 3, 0)
    assert overlook(mask, 0.5, 4, image).mask.sum() == 3**3
    eroded = erode(mask, 0.5, 4, draw)
    assert (eroded.mask.sum(), eroded.true) == (14 + 63, 27 + 125)
    moved = move(mask, 0.6, draw)
    assert 0.4 < moved.given / moved.true < 0.8
