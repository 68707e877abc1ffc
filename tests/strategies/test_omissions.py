import pytest
import torch

from fedmed.strategies._omissions import OmissionSearch, hidden, hidden_objects

P = torch.tensor([[[0.9, 0.7, 0.55, 0.8], [0.05, 0.9, 0.85, 0.4]]])
Y = torch.tensor([[[0, 0, 0, 1], [1, 0, 1, 0]]], dtype=torch.uint8)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (0.8, [[1, 0, 0, 1], [1, 1, 1, 0]]),
        (0.5, [[1, 1, 1, 1], [1, 1, 1, 0]]),
        (0.4, [[1, 1, 1, 1], [1, 1, 1, 0]]),
        (1.0, [[0, 0, 0, 1], [1, 0, 1, 0]]),
    ],
)
def test_hidden_pixels(threshold: float, expected: list[list[int]]) -> None:
    """I6: strict, only background, and only where foreground is the likelier."""
    corrected = Y | hidden(P, Y, threshold)
    assert corrected[0].tolist() == expected
    assert (corrected >= Y).all()
    assert not hidden(P, corrected, threshold).any()


def test_the_threshold_is_strict_and_the_likelier_class_counts() -> None:
    """I6."""
    p, y = torch.tensor([[[0.8, 0.45]]]), torch.zeros(1, 1, 2, dtype=torch.uint8)
    assert not hidden(p, y, 0.8).any()
    assert hidden(p, y, 0.4).tolist() == [[[True, False]]]


def test_hidden_objects_are_whole_and_touch_no_annotated_one() -> None:
    """Left: sure in one pixel, taken whole. Middle: grows out of an annotated pixel. Right: nowhere sure."""
    p = torch.tensor([[[0.9, 0.1, 0.9, 0.1, 0.6], [0.6, 0.1, 0.9, 0.1, 0.6]]])
    y = torch.tensor([[[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]], dtype=torch.uint8)
    assert hidden_objects(p, p > 0.5, y, 0.8, 4).tolist() == [
        [[True, False, False, False, False], [True, False, False, False, False]]
    ]
    assert hidden_objects(p, p > 0.5, y, 0.5, 4)[0, :, 4].tolist() == [True, True]


def test_a_corner_is_a_touch_with_eight_neighbours_only() -> None:
    p = torch.tensor([[[0.9, 0.1], [0.1, 0.1]]])
    y = torch.tensor([[[0, 0], [0, 1]]], dtype=torch.uint8)
    assert hidden_objects(p, p > 0.5, y, 0.8, 4).any()
    assert not hidden_objects(p, p > 0.5, y, 0.8, 8).any()


def test_images_of_a_batch_are_no_neighbours() -> None:
    p = torch.full((2, 1, 1), 0.9)
    y = torch.tensor([[[1]], [[0]]], dtype=torch.uint8)
    assert hidden_objects(p, p > 0.5, y, 0.8, 4).flatten().tolist() == [False, True]


def test_a_search_looks_at_every_image_once() -> None:
    search = OmissionSearch(torch.ones(2, dtype=torch.bool), 4)
    p, y = torch.full((1, 1, 1, 2), 0.9), torch.zeros(1, 1, 2, dtype=torch.uint8)
    for _ in range(2):
        search.look(torch.tensor([1]), p, y, None, 0.8)
    assert search.pixels(4).tolist() == [2, 3]
    assert search.open.tolist() == [True, False]


@pytest.mark.parametrize("objects", [None, 4])
def test_what_is_found_has_a_class(objects: int | None) -> None:
    """Two images of three pixels, three classes: pixel 1 of image 0 is of class 3, pixel 2 of image 1 of class 1."""
    search = OmissionSearch(torch.ones(2, dtype=torch.bool), objects, 3)
    p = torch.zeros(2, 3, 1, 3)
    p[0, 2, 0, 1], p[1, 0, 0, 2] = 0.9, 0.85
    search.look(torch.arange(2), p, torch.zeros(2, 1, 3, dtype=torch.uint8), None, 0.8)
    assert search.pixels(6).tolist() == [1 * 3 + 2, 5 * 3 + 0]
