import pytest
import torch
from torch import Tensor

from fedmed.data.augment import NoneAugment, StandardAugment

STILL = {"flip": False, "rotate": 0.0, "translate": 0.0, "scale": 0.0, "brightness": 0.0}
LABELS = torch.arange(16)


def still(**changes: float | bool) -> StandardAugment:
    return StandardAugment(**{**STILL, **changes})  # type: ignore[arg-type]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(height: int = 24, width: int = 24) -> Tensor:
    return torch.rand(16, 2, height, width, generator=rng(7))


def halves(side: int = 32) -> tuple[Tensor, Tensor]:
    """Images whose intensity is their mask: 200 in an off-centre rectangle, else 0."""
    mask = torch.zeros(16, side, side, dtype=torch.uint8)
    mask[:, 6:20, 4:14] = 200
    return mask[:, None].float(), mask


def test_none_is_the_batch_itself() -> None:
    x = images()
    a, b = NoneAugment().apply(x, LABELS, rng())
    assert a is x
    assert b is LABELS


def test_nothing_switched_on_changes_no_bit() -> None:
    x = images()
    assert torch.equal(still().apply(x, LABELS, rng())[0], x)


def test_the_generator_alone_decides() -> None:
    x, augment = images(), StandardAugment(noise=0.1)
    before = x.clone()
    first = augment.apply(x, LABELS, rng())[0]
    torch.rand(5)
    assert torch.equal(augment.apply(x, LABELS, rng())[0], first)
    assert not torch.equal(augment.apply(x, LABELS, rng(1))[0], first)
    assert torch.equal(x, before)


def test_other_labels_come_back_as_they_are() -> None:
    findings = torch.rand(16, 5)
    for y in (LABELS, findings):
        assert StandardAugment().apply(images(), y, rng())[1] is y


@pytest.mark.parametrize("change", [{}, {"rotate": 45.0}, {"translate": 0.3}, {"scale": 0.4}], ids=str)
def test_masks_move_with_their_images(change: dict[str, float]) -> None:
    x, mask = halves()
    moved, labels = StandardAugment(**{"brightness": 0.0, **change}).apply(x, mask, rng())  # type: ignore[arg-type]
    assert labels.dtype == torch.uint8
    assert set(labels.unique().tolist()) == {0, 200}
    assert not torch.equal(labels, mask)
    assert ((moved[:, 0] > 100) == (labels > 100)).float().mean() > 0.985


def test_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    x, mask = halves()
    moved, labels = still(flip=True).apply(x, mask, rng())
    mirrored = (labels == mask.flip(2)).flatten(1).all(1)
    assert ((labels == mask).flatten(1).all(1) ^ mirrored).all()
    assert 4 <= mirrored.sum() <= 12
    assert torch.allclose(moved[:, 0], labels.float(), atol=0.05)


@pytest.mark.parametrize(("height", "width", "degrees"), [(40, 40, 90.0), (30, 60, 25.0), (60, 30, 25.0)])
def test_rotation_keeps_lengths_whatever_the_aspect(height: int, width: int, degrees: float) -> None:
    mask = torch.zeros(16, height, width, dtype=torch.uint8)
    mask[:, height // 2 - 2 : height // 2 + 2, width // 2 - 8 : width // 2 + 8] = 1
    turned = still(rotate=degrees).apply(mask[:, None].float(), mask, rng())[1]
    assert torch.allclose(turned.flatten(1).sum(1).float(), torch.tensor(64.0), atol=10)
    rows = torch.arange(height).view(1, -1, 1) - (height - 1) / 2
    columns = torch.arange(width).view(1, 1, -1) - (width - 1) / 2
    spread = (turned * (rows**2 + columns**2)).flatten(1).sum(1) / turned.flatten(1).sum(1)
    assert torch.allclose(spread, torch.tensor((16**2 - 1) / 12 + (4**2 - 1) / 12), rtol=0.12)


def centre(mask: Tensor) -> Tensor:
    """Mean column of every mask's foreground, (B,), in pixels."""
    columns = torch.arange(mask.shape[2]).float()
    weight = (mask > 0).float().sum(1)
    return (weight * columns).sum(1) / weight.sum(1)


def test_translation_reaches_its_share_of_the_side_and_no_further() -> None:
    mask = torch.zeros(200, 40, 40, dtype=torch.uint8)
    mask[:, 15:25, 15:25] = 1
    moved = still(translate=0.2).apply(mask[:, None].float(), mask, rng())[1]
    away = (centre(moved) - 19.5).abs()
    assert 7 < away.max() <= 8.5


def test_scale_changes_the_area_by_its_square() -> None:
    mask = torch.zeros(200, 60, 60, dtype=torch.uint8)
    mask[:, 15:45, 15:45] = 1
    area = still(scale=0.2).apply(mask[:, None].float(), mask, rng())[1].flatten(1).sum(1) / 900
    assert 1.3 < area.max() < 1.55
    assert 0.6 < area.min() < 0.75


def test_brightness_adds_one_constant_per_image() -> None:
    x = images()
    added = (still(brightness=0.3).apply(x, LABELS, rng())[0] - x).flatten(1)
    assert (added.std(1) < 1e-6).all()
    assert 0.2 < added.abs().max() <= 0.3
    assert added[:, 0].unique().numel() == 16


def test_noise_has_its_deviation() -> None:
    x = images()
    added = still(noise=0.2).apply(x, LABELS, rng())[0] - x
    assert added.std() == pytest.approx(0.2, rel=0.03)
    assert added.mean() == pytest.approx(0.0, abs=0.01)
