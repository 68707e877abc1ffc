"""The platform's utility, sharing incentive and envy, by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from fedmed.scheduling.measures import envious_pairs, platform_utility, sharing_incentive


def test_the_platforms_utility() -> None:
    utilities = np.array([1.0, 3.0])
    assert platform_utility(utilities, 0.5) == pytest.approx((1.0 + 3.0**0.5) ** 2)
    assert platform_utility(utilities, 0.5, 0.0) == pytest.approx((0.25**0.5 + 0.75**0.5) ** 2)
    assert platform_utility(utilities, 1.0) == pytest.approx(exp(-0.25 * log(0.25) - 0.75 * log(0.75)))
    assert platform_utility(utilities, 2.0) == pytest.approx(-((1.0 + 1 / 3) ** 0.5))


def test_it_is_undefined_where_it_is_not_finite() -> None:
    assert platform_utility(np.array([0.0, 1.0]), 2.0) is None
    assert platform_utility(np.zeros(2), 0.5) is None
    assert platform_utility(np.array([0.0, 1.0]), 1.0) == pytest.approx(1.0)


def test_an_even_division_is_the_least_that_one_may_expect() -> None:
    demand, left = np.array([[0.8, 0.0], [0.4, 0.4]]), np.ones(2)
    assert sharing_incentive(demand, left, np.array([0.625, 1.0])).tolist() == [True, True]
    assert sharing_incentive(demand, left, np.array([0.62, 0.99])).tolist() == [False, False]


def test_envy_is_of_a_budget_that_one_could_use_better() -> None:
    demand = np.array([[0.5, 0.0], [0.5, 0.5]])
    assert envious_pairs(demand, np.array([0.4, 0.6])) == 1
    assert envious_pairs(demand, np.array([0.6, 0.6])) == 0
    assert envious_pairs(demand, np.array([0.9, 0.1])) == 0  # the first has nothing of the second block to envy
