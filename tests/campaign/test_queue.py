"""What is done next, and when all is done."""

from __future__ import annotations

import pytest

from fedmed.campaign.queue import RunQueue
from tests.campaign.conftest import job


def taken(order: RunQueue) -> list[str]:
    return [order.take().label for _ in range(len(order.waiting))]


def test_one_of_every_kind_comes_first_then_the_longest() -> None:
    order = RunQueue([job(f"{kind}{seed}", kind) for kind in "abc" for seed in range(3)])
    assert [order.take().label for _ in range(3)] == ["a0", "b0", "c0"]
    for kind, seconds in {"a": 1.0, "b": 9.0, "c": 3.0}.items():
        order.learn(kind, seconds)
    assert taken(order) == ["b1", "b2", "c1", "c2", "a1", "a2"]


def test_what_was_learned_from_earlier_runs_needs_no_first_one() -> None:
    order = RunQueue([job("a0", "a"), job("b0", "b"), job("c0", "c")])
    order.learn("a", 1.0)
    order.learn("b", 2.0)
    assert taken(order) == ["c0", "b0", "a0"]


def test_a_run_that_was_broken_off_comes_next_again() -> None:
    order = RunQueue([job("a0", "a"), job("a1", "a"), job("b0", "b")])
    first = order.take()
    order.back(first)
    assert order.take() is first


def test_time_left_is_that_of_runs_waiting_and_under_way_over_all_workers() -> None:
    order = RunQueue([job("a1", "a"), job("a2", "a"), job("b0", "b")])
    order.learn("a", 10.0)
    order.learn("b", 20.0)
    assert order.left([("a", 4.0, 0.5), ("b", 15.0, 0.1)], workers=2) == pytest.approx((10 + 10 + 20 + 6 + 5) / 2)


def test_time_left_is_never_less_than_the_longest_run() -> None:
    order = RunQueue([job("b0", "b")])
    order.learn("b", 20.0)
    assert order.left([], workers=8) == pytest.approx(20)


def test_a_run_of_an_unknown_kind_is_judged_by_how_far_it_is() -> None:
    assert RunQueue([]).left([("a", 3.0, 0.25)], workers=1) == pytest.approx(9)


def test_nothing_is_said_while_nothing_is_known() -> None:
    order = RunQueue([job("a0", "a")])
    assert order.left([("b", 3.0, 0.0)], workers=1) is None
