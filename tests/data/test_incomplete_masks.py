from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from fedmed.data.incomplete_masks import chosen, drop_objects, erode, move, objects, overlook

NUCLEI = Path(__file__).resolve().parents[2] / "../shared/data/nuclei/nuclei_128.npz"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blobs(count: int, side: int = 64, size: int = 6) -> np.ndarray:
    """`count` squares on a grid, alternately of class 1 and 2."""
    mask = np.zeros((side, side), np.uint8)
    per_row = side // (size + 2)
    for k in range(count):
        y, x = (axis * (size + 2) + 1 for axis in divmod(k, per_row))
        mask[y : y + size, x : x + size] = 1 + k % 2
    return mask


@pytest.mark.parametrize(("count", "share", "kept"), [(10, 0.4, 4), (5, 0.5, 3), (3, 0.1, 1), (1, 0.4, 1), (4, 1.0, 4)])
def test_exact_keeps_the_rounded_share_and_never_none(count: int, share: float, kept: int) -> None:
    assert chosen(count, share, True, rng()).sum() == kept
    drawn = drop_objects(blobs(count), share, True, 4, rng())
    assert (drawn.given, drawn.true) == (kept, count)
    assert objects(drawn.mask, 4)[1] == kept


def test_bernoulli_keeps_each_with_that_probability() -> None:
    kept = [chosen(10, 0.3, False, rng(seed)).sum() for seed in range(300)]
    assert np.mean(kept) == pytest.approx(3, abs=0.3)
    assert np.std(kept) == pytest.approx(np.sqrt(2.1), rel=0.2)


def test_every_object_is_as_likely_to_be_kept() -> None:
    kept = np.mean([chosen(8, 0.5, True, rng(seed)) for seed in range(800)], axis=0)
    assert np.abs(kept - 0.5).max() < 0.08


def test_a_kept_object_keeps_its_pixels_and_class() -> None:
    mask = blobs(12)
    drawn = drop_objects(mask, 0.5, True, 4, rng()).mask
    assert np.array_equal(drawn[drawn > 0], mask[drawn > 0])
    assert np.count_nonzero(drawn) == 6 * 36
    assert drawn.dtype == mask.dtype


def test_connectivity_joins_diagonal_neighbours() -> None:
    mask = np.eye(4, dtype=np.uint8)
    assert objects(mask, 4)[1] == 4
    assert objects(mask, 8)[1] == 1
    assert objects(np.array([[1, 2]]), 8)[1] == 2  # classes are never one object


def three_objects() -> tuple[NDArray[Any], NDArray[Any]]:
    """Areas 16, 9 and 4 whose grey is 60, 90 and 150, on a background of 50 that is 140 around the last."""
    mask, image = np.zeros((24, 24), np.uint8), np.full((1, 24, 24), 50, np.uint8)
    for corner, side, grey in (((2, 2), 4, 60), ((2, 14), 3, 90), ((14, 10), 2, 150)):
        around, inside = (
            (slice(row - pad, row + side + pad), slice(column - pad, column + side + pad))
            for pad in (2, 0)
            for row, column in (corner,)
        )
        if grey == 150:
            image[0][around] = 140
        mask[inside], image[0][inside] = 1, grey
    return mask, image


def test_small_and_faint_objects_are_overlooked_first() -> None:
    mask, image = three_objects()
    for share, kept in ((0.1, 1), (0.4, 1), (0.6, 2), (1.0, 3)):
        by_size, by_contrast = overlook(mask, share, 4, None), overlook(mask, share, 4, image)
        assert by_size.mask.sum() == sum([16, 9, 4][:kept])
        assert by_contrast.mask.sum() == sum([9, 16, 4][:kept])
        assert (by_size.given, by_size.true) == (by_contrast.given, by_contrast.true) == (kept, 3)


def test_what_fills_the_image_is_easy_to_see() -> None:
    mask = np.ones((6, 6), np.uint8)
    assert overlook(mask, 0.5, 4, np.zeros((1, 6, 6), np.uint8)).given == 1


def test_erosion_takes_the_boundary_first() -> None:
    mask = blobs(1, size=10)
    drawn = erode(mask, 0.64, 4, rng())  # an inner square of 8 x 8
    assert np.array_equal(drawn.mask > 0, binary_erosion(mask))
    assert (drawn.given, drawn.true) == (64, 100)


def test_erosion_leaves_every_object_a_pixel() -> None:
    mask = blobs(20, size=2)
    drawn = erode(mask, 0.01, 4, rng())
    assert objects(drawn.mask, 4)[1] == drawn.given == 20
    assert (drawn.mask <= mask).all()


def test_an_object_beside_another_class_keeps_its_own_share() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:10], mask[5:15, 10:15] = 1, 2
    drawn = erode(mask, 0.5, 4, rng()).mask
    assert [(drawn == value).sum() for value in (1, 2)] == [25, 25]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_moved_boundaries_cover_about_the_share(share: float) -> None:
    mask = blobs(16, size=10)
    drawn = move(mask, share, rng())
    assert drawn.given / drawn.true == pytest.approx(share, abs=0.05)
    assert (drawn.mask[mask == 0] > 0).any()  # not one-sided


def test_an_empty_mask_stays_empty() -> None:
    empty = np.zeros((16, 16), np.uint8)
    dropped = (
        drop_objects(empty, 0.5, True, 4, rng()),
        overlook(empty, 0.5, 4, None),
        overlook(empty, 0.5, 4, empty[None]),
    )
    for drawn in (*dropped, erode(empty, 0.5, 4, rng()), move(empty, 0.5, rng())):
        assert not drawn.mask.any()
        assert (drawn.given, drawn.true) == (0, 0)


@pytest.mark.skipif(not NUCLEI.exists(), reason=f"{NUCLEI} is not there")
def test_nuclei_lose_the_share_that_is_asked_for() -> None:
    masks = np.load(NUCLEI)["masks"][::20]
    for draw in (lambda m: drop_objects(m, 0.5, True, 4, rng()), lambda m: erode(m, 0.5, 4, rng())):
        drawn = [draw(mask) for mask in masks]
        assert sum(one.given for one in drawn) / sum(one.true for one in drawn) == pytest.approx(0.5, abs=0.03)
        assert all((one.mask <= mask).all() for one, mask in zip(drawn, masks, strict=True))
