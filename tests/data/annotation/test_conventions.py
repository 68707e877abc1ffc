"""Annotations of some clients alone: free riders, and another label convention."""

import numpy as np
import pytest
import torch

from fedmed.data.annotation import FreeRiderAnnotation, RelabelledAnnotation
from fedmed.errors import UserError
from tests.data.annotation.test_contract import CLASSES, a_world


def test_a_free_rider_guesses_its_labels_and_others_do_not() -> None:
    held, rows = a_world(CLASSES, clients=4, count=200)
    given = FreeRiderAnnotation(clients=(1,)).annotate(held, rows, CLASSES, 0)
    assert [each.completeness for each in (given[0], given[2], given[3])] == [1, 1, 1]
    assert given[1].completeness == pytest.approx(1 / 5, abs=0.1)
    assert given[1].completeness == (given[1].y == held[1].y).double().mean().item()
    assert len(given[1].y.unique()) == 5


def test_a_free_rider_holds_few_images_whatever_their_order() -> None:
    annotation, rows = FreeRiderAnnotation(share=0.1), np.arange(100, 160)
    few = annotation.held(rows, 2, 3, 0)
    assert len(few) == 6
    assert set(few) <= set(rows)
    assert np.array_equal(annotation.held(rows[::-1], 2, 3, 0), few)
    assert annotation.held(rows, 1, 3, 0) is rows
    assert len(annotation.held(rows[:3], 2, 3, 0)) == 1
    assert [annotation.distinction(client, 3) for client in range(3)] == ["", "", "free rider"]


def test_a_convention_is_of_the_second_half_or_of_those_named() -> None:
    y = torch.arange(5)
    usual, own = RelabelledAnnotation(), RelabelledAnnotation(clients=(0,), permutation=(4, 3, 2, 1, 0))
    assert [usual.convention(y, client, 4, CLASSES).tolist() for client in (1, 2)] == [[*range(5)], [1, 2, 3, 4, 0]]
    assert own.convention(y, 0, 4, CLASSES).tolist() == [4, 3, 2, 1, 0]
    assert [own.distinction(client, 3) for client in range(3)] == ["relabelled", "", ""]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"permutation": (0, 1)}, r"annotation\.permutation: expected the classes 0 to 4, each once, got \[0, 1\]"),
        ({"clients": (2, 9)}, r"annotation\.clients: expected clients 0 to 3, got 9"),
    ],
)
def test_conventions_of_what_is_not_there_are_refused(fields: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RelabelledAnnotation(**fields).convention(torch.arange(5), 0, 4, CLASSES)
