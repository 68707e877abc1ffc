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


def test_it_moves_images_unless_all_that_would_is_switched_off() -> None:
    assert not NoneAugment().moves
    assert not still(brightness=0.1, noise=0.1).moves
    assert still(flip=True).moves
    for change in ("rotate", "translate", "scale"):
        assert still(**{change: 0.5}).moves


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


@pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 60), (60, 30)])
def test_rotation_keeps_the_distance_to_the_centre_whatever_the_aspect(height: int, width: int) -> None:
    rows = (torch.arange(height) - (height - 1) / 2).view(1, -1, 1).expand(16, height, width)
    columns = (torch.arange(width) - (width - 1) / 2).view(1, 1, -1).expand(16, height, width)
    blob = (((rows - 6) ** 2 + (columns - 6) ** 2) < 9).to(torch.uint8)
    turned = still(rotate=180.0).apply(blob[:, None].float(), blob, rng())[1]
    turned = turned * (rows**2 + columns**2 < 14**2)  # what lies further out is mirrored at the border
    area = turned.flatten(1).sum(1)
    down, right = ((turned * axis).flatten(1).sum(1) / area for axis in (rows, columns))
    assert torch.allclose(torch.hypot(down, right), torch.tensor(6 * 2**0.5), atol=0.3)
    assert torch.atan2(down, right).std() > 1


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


def test_devices_leave_earlier_draws_as_they_were() -> None:
    """What moves an image, and how bright it is, does not depend on whether it is blurred."""
    x, y = halves()
    plain, blurred = (StandardAugment(brightness=0.0, blur=blur).apply(x, y, rng()) for blur in (0.0, 2.0))
    assert torch.equal(plain[1], blurred[1])
    assert not torch.equal(plain[0], blurred[0])


def test_gamma_keeps_the_range_and_the_order_of_grey_values() -> None:
    x = images() * 3 - 1
    varied, _ = still(gamma=1.0).apply(x, LABELS, rng())
    for of in (Tensor.amin, Tensor.amax):
        assert torch.allclose(of(varied, (1, 2, 3)), of(x, (1, 2, 3)), atol=1e-5)
    assert torch.equal(varied[0].flatten().argsort(), x[0].flatten().argsort())
    low, high = x[0].aminmax()
    exponent = ((varied[0] - low) / (high - low)).log() / ((x[0] - low) / (high - low)).log()
    middle = exponent[(x[0] > low + 0.1) & (x[0] < high - 0.1)]
    assert middle.max() - middle.min() < 1e-2
    assert 0.5 <= middle.mean() <= 2


def test_blur_keeps_the_sum_and_widens_a_point() -> None:
    x = torch.zeros(16, 2, 33, 33)
    x[:, :, 16, 16] = 1
    varied, _ = still(blur=2.0).apply(x, LABELS, rng())
    assert torch.allclose(varied.sum((2, 3)), torch.ones(16, 2), atol=1e-5)
    offset = torch.arange(33.0) - 16
    deviation = (varied.sum(2) * offset**2).sum(2).sqrt()
    assert torch.allclose(deviation[:, 0], deviation[:, 1])
    assert 1.2 < deviation.max() <= 2.01
    assert deviation.min() < 0.5


@pytest.mark.parametrize(("height", "width"), [(24, 24), (24, 40)])
def test_a_lower_resolution_keeps_constants_and_loses_detail(height: int, width: int) -> None:
    x = torch.full((16, 2, height, width), 0.3)
    assert torch.allclose(still(resolution=0.25).apply(x, LABELS, rng())[0], x)
    ramp = torch.arange(height * 1.0)[None, None, :, None].expand(16, 2, height, width) / height
    varied, _ = still(resolution=0.5).apply(ramp, LABELS, rng())
    assert (varied - ramp).abs().max() < 2 / height
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2 * torch.ones(16, 1, 1, 1)
    varied, _ = still(resolution=0.5).apply(board, LABELS, rng())
    assert (varied - board).abs().flatten(1).mean(1).max() > 0.3


def test_masks_stay_as_sharp_as_they_were() -> None:
    x, y = halves()
    varied, mask = still(blur=3.0, resolution=0.3, gamma=0.5).apply(x, y, rng())
    assert torch.equal(mask, y)
    assert not torch.equal(varied, x)
    assert not still(blur=3.0, resolution=0.3, gamma=0.5).moves
