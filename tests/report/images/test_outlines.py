from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fedmed.report.images.outlines import dice, image_uri, outline


def points(path: str) -> list[tuple[float, float]]:
    """The corners of one outline, in pixels."""
    steps = np.array(re.findall(r"-?\d+", path), float).reshape(-1, 2) / 2
    return [(x, y) for x, y in np.cumsum(steps, axis=0)]


def test_an_outline_goes_around_the_pixels_that_are_set() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:7] = 1
    corners = points(outline(mask))
    x, y = zip(*corners, strict=True)
    assert (min(x), max(x), min(y), max(y)) == (3, 7, 2, 5)
    assert len(corners) == 8, "straight edges need no points in between"


def test_a_mask_at_the_border_is_closed() -> None:
    path = outline(np.ones((4, 4), np.uint8))
    assert path.startswith("M")
    assert path.endswith("z")
    assert max(x for x, _ in points(path)) == 4


def test_two_spots_are_two_outlines_and_an_empty_mask_is_none() -> None:
    mask = np.zeros((8, 8), np.uint8)
    assert outline(mask) == ""
    mask[1, 1] = mask[5, 5] = 1
    assert outline(mask).count("M") == 2


def test_dice_leaves_out_classes_that_nobody_sees() -> None:
    truth, ours = np.array([[0, 1, 1, 0]]), np.array([[0, 1, 0, 0]])
    assert dice(ours, truth) == pytest.approx(2 / 3)
    assert dice(np.zeros((1, 4)), np.zeros((1, 4))) is None


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "L")])
def test_an_image_is_a_png_of_the_same_pixels(channels: int, mode: str) -> None:
    x = np.random.default_rng(0).integers(0, 255, (channels, 5, 7)).astype(np.uint8)
    content = base64.b64decode(image_uri(x).partition(",")[2])
    image = Image.open(BytesIO(content))
    assert (image.mode, image.size) == (mode, (7, 5))
    assert np.array_equal(np.asarray(image), np.moveaxis(x, 0, -1) if channels == 3 else x[0])
