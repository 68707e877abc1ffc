"""What is left of blocks: by one sum, or by some order."""

from __future__ import annotations

import numpy as np

from fedmed.scheduling.budgets import Budgets


def test_a_job_fits_where_every_block_that_it_asks_bears_it() -> None:
    budgets = Budgets(np.array([[1.0], [0.5]]), np.zeros((2, 1)))
    job = np.array([[0.6], [0.5]])
    assert budgets.fits(job)
    budgets.take(job)
    assert not budgets.fits(np.array([[0.0], [0.1]]))
    assert budgets.fits(np.array([[0.4], [0.0]]))
    assert not budgets.fits(np.array([[0.41], [0.0]]))


def test_sums_of_many_small_demands_fill_a_block_exactly() -> None:
    budgets = Budgets(np.ones((1, 1)), np.zeros((1, 1)))
    for _ in range(10):
        assert budgets.fits(np.full((1, 1), 0.1))
        budgets.take(np.full((1, 1), 0.1))
    assert not budgets.fits(np.full((1, 1), 1e-6))


def test_one_order_is_enough() -> None:
    budgets = Budgets(np.array([[1.0, 4.0]]), np.array([[0.9, 1.0]]))
    assert budgets.fits(np.array([[0.5, 2.0]]))
    assert not budgets.fits(np.array([[0.5, 3.5]]))


def test_an_order_that_bears_nothing_is_no_order() -> None:
    assert not Budgets(np.array([[0.0, 0.0]]), np.zeros((1, 2))).fits(np.array([[0.0, 0.1]]))


def test_shares_are_taken_at_the_order_with_most_left_and_there_where_demands_are_small() -> None:
    fresh = Budgets(np.array([[0.0, 2.0, 4.0]]), np.zeros((1, 3)))
    assert fresh.orders(np.array([[1.0, 1.5, 2.0]])).tolist() == [2]
    used = Budgets(np.array([[0.0, 2.0, 4.0]]), np.array([[1.0, 0.5, 3.0]]))
    assert used.orders(np.array([[1.0, 1.0, 2.0]])).tolist() == [1]


def test_part_of_a_room_is_unlocked_and_a_copy_is_apart() -> None:
    budgets = Budgets(np.ones((1, 1)), np.zeros((1, 1)))
    assert not budgets.unlocked(np.array([0.5])).fits(np.full((1, 1), 0.6))
    other = budgets.copy()
    other.take(np.full((1, 1), 1.0))
    assert budgets.fits(np.full((1, 1), 1.0))
