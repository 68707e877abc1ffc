"""Intervals of means and of paired differences, against scipy's and a worked example."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest
from scipy.stats import ttest_rel

from fedmed.comparison.paired import difference, estimate
from fedmed.errors import UserError


def test_a_worked_example() -> None:
    # t quantile of .975 with 2 degrees of freedom: 4.302653; sd 1, n 3
    given = estimate([1.0, 2.0, 3.0])
    assert given.mean == 2.0
    assert given.sd == 1.0
    assert (given.low, given.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_paired_interval_is_that_of_the_paired_t_test(level: float) -> None:
    random = np.random.default_rng(0)
    ours, reference = random.normal(0.3, 1, 7), random.normal(0, 1, 7)
    found = difference(dict(enumerate(ours)), dict(enumerate(reference)), level)
    expected = ttest_rel(ours, reference).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_seeds_pair_by_name_and_not_by_order() -> None:
    found = difference({1: 2.0, 0: 1.0}, {0: 0.5, 1: 1.5})
    assert (found.mean, found.sd) == (0.5, 0.0)
    assert found.apart


def test_one_seed_claims_nothing() -> None:
    found = difference({3: 0.9}, {3: 0.1})
    assert found.mean == pytest.approx(0.8)
    assert (found.low, found.high) == (-inf, inf)
    assert isnan(found.sd)
    assert not found.apart


def test_an_interval_around_zero_is_not_apart() -> None:
    assert not estimate([-1.0, 1.0, 0.5]).apart
    assert estimate([-1.0, -1.1, -0.9]).apart


def test_a_seed_without_a_partner_is_refused() -> None:
    with pytest.raises(UserError, match="seed 2"):
        difference({0: 1.0, 2: 1.0}, {0: 1.0})
