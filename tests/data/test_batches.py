from itertools import chain

import pytest
import torch

from fedmed.data.batches import batches, evaluation_slices, images_seen
from fedmed.data.examples import Examples
from fedmed.rng import generator


def drawn(rows: int, size: int, *, epochs: int = 1, steps: int | None = None, seed: int = 0) -> list[list[int]]:
    return [index.tolist() for index in batches(rows, size, generator(seed, "b"), epochs=epochs, steps=steps)]


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [(8, [4, 4]), (10, [4, 4, 2]), (9, [4, 5]), (5, [5]), (4, [4]), (3, [3]), (1, [1]), (2, [2])],
)
def test_a_single_row_left_over_joins_the_batch_before(rows: int, sizes: list[int]) -> None:
    assert [len(index) for index in drawn(rows, 4)] == sizes


@pytest.mark.parametrize("rows", [1, 4, 9, 10, 17])
def test_a_pass_takes_every_row_once(rows: int) -> None:
    assert sorted(chain(*drawn(rows, 4))) == list(range(rows))


def test_batches_of_one_are_left_as_asked() -> None:
    assert [len(index) for index in drawn(3, 1)] == [1, 1, 1]


def test_passes_are_shuffled_apart_and_seeded() -> None:
    first, second = drawn(12, 12, epochs=2)
    assert sorted(first) == sorted(second)
    assert first != second
    assert first != list(range(12))
    assert drawn(12, 4, epochs=3) == drawn(12, 4, epochs=3)
    assert drawn(12, 4) != drawn(12, 4, seed=1)


def test_steps_take_as_many_passes_as_needed_and_stop_within_one() -> None:
    assert len(drawn(8, 4, steps=5)) == 5
    assert drawn(8, 4, steps=5) == drawn(8, 4, epochs=3)[:5]
    assert len(drawn(8, 4, epochs=9, steps=1)) == 1


@pytest.mark.parametrize(("side", "parts"), [(8, 4), (32, 4), (64, 5), (128, 19), (512, 19)])
def test_evaluation_batches_are_equal_shrink_with_the_images_and_cover_all(side: int, parts: int) -> None:
    examples = Examples(torch.zeros(300, 1, side, side, dtype=torch.uint8), torch.zeros(300))
    slices = [range(300)[part] for part in evaluation_slices(examples)]
    assert [row for part in slices for row in part] == list(range(300))
    assert {len(part) for part in slices} <= {300 // parts, 300 // parts + 1}
    assert len(slices) == parts


def test_no_images_are_no_evaluation_batch() -> None:
    assert list(evaluation_slices(Examples(torch.zeros(0, 1, 8, 8), torch.zeros(0)))) == []


@pytest.mark.parametrize("rows", [1, 4, 9, 10, 12])
@pytest.mark.parametrize(("epochs", "steps"), [(1, None), (3, None), (1, 1), (1, 7)])
def test_images_passed_are_those_of_the_batches(rows: int, epochs: int, steps: int | None) -> None:
    found = batches(rows, 4, generator(0, "test"), epochs=epochs, steps=steps)
    assert images_seen(rows, 4, epochs=epochs, steps=steps) == sum(map(len, found))
