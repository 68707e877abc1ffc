import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.normalise import normaliser


def images(dtype: torch.dtype = torch.uint8, rows: int = 7, channels: int = 3) -> Tensor:
    x = np.random.default_rng(0).integers(0, 256, (rows, channels, 6, 6))
    scaled = torch.from_numpy(x) * torch.tensor([1.0, 0.5, 0.2])[:channels, None, None]
    return scaled.to(torch.uint8) if dtype == torch.uint8 else scaled.float() / 255


def test_none_scales_uint8_to_one_and_leaves_floats() -> None:
    x = images()
    torch.testing.assert_close(normaliser("none", [x])(x), x.float() / 255)
    floats = images(torch.float32)
    assert normaliser("none", [floats])(floats) is floats


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_dataset_centres_and_scales_each_channel_of_the_training_images(dtype: torch.dtype) -> None:
    x = images(dtype)
    out = normaliser("dataset", [x[:2], x[2:]])(x)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_dataset_statistics_come_from_training_images_only() -> None:
    train, other = images(), torch.full((2, 3, 6, 6), 255, dtype=torch.uint8)
    unit, values = normaliser("dataset", [train]), train.double() / 255
    mean, deviation = values.mean((0, 2, 3)), values.std((0, 2, 3), correction=0)
    wanted = ((1 - mean) / deviation).float()
    torch.testing.assert_close(unit(other)[0, :, 0, 0], wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_image_standardises_every_image_by_itself(dtype: torch.dtype) -> None:
    x = images(dtype)
    out = normaliser("image", [x])(x)
    torch.testing.assert_close(out.mean((1, 2, 3)), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((1, 2, 3), correction=0), torch.ones(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(normaliser("image", [x])(x[3:4])[0], out[3])


@pytest.mark.parametrize("by", ["dataset", "image"])
def test_a_constant_image_is_centred_not_blown_up(by: str) -> None:
    x = torch.full((2, 1, 6, 6), 51, dtype=torch.uint8)
    assert normaliser(by, [x])(x).abs().max() < 1e-5


def test_statistics_do_not_depend_on_how_images_are_cut_up() -> None:
    x = images(rows=40)
    whole, parts = normaliser("dataset", [x])(x), normaliser("dataset", list(x.split(3)))(x)
    torch.testing.assert_close(whole, parts)


def test_stored_pixels_are_left_alone() -> None:
    for dtype in (torch.uint8, torch.float32):
        x = images(dtype)
        before = x.clone()
        for by in ("none", "dataset", "image"):
            normaliser(by, [x])(x)
        assert torch.equal(x, before)
