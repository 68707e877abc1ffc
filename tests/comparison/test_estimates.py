"""Means and paired differences: Student's t of few values, BCa of more, and both cover what they claim to."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import ttest_rel

from fedmed.comparison.estimates import difference, estimate, mean_estimate
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


SKEWED = [0.70, 0.705, 0.71, 0.715, 0.72, 0.73, 0.75, 0.78, 0.84, 0.99]


def _bca(values: list[float], resamples: int = 40_000) -> tuple[float, float]:
    """Efron and Tibshirani 1993, equations 14.9 to 14.15, written down anew."""
    random, x = np.random.default_rng(1), np.array(values)
    means = np.sort(random.choice(x, (resamples, len(x))).mean(axis=1))
    bias = ndtri((np.sum(means < x.mean()) + np.sum(means == x.mean()) / 2) / resamples)
    jack = np.array([np.delete(x, i).mean() for i in range(len(x))])
    away = jack.mean() - jack
    skew = np.sum(away**3) / (6 * np.sum(away**2) ** 1.5)
    shares = [ndtr(bias + (bias + ndtri(q)) / (1 - skew * (bias + ndtri(q)))) for q in (0.025, 0.975)]
    low, high = np.quantile(means, shares)
    return float(low), float(high)


def test_from_ten_values_on_it_is_bca() -> None:
    found = mean_estimate(SKEWED)
    assert (found.low, found.high) == pytest.approx(_bca(SKEWED), abs=0.0045)
    plain = estimate(SKEWED)
    assert (found.mean, found.sd) == (plain.mean, plain.sd)
    assert found.high - found.mean > 1.2 * (found.mean - found.low)  # skewed as the values are


def test_below_ten_values_it_is_students_t() -> None:
    assert mean_estimate(SKEWED[:9]) == estimate(SKEWED[:9])
    one = mean_estimate([0.5])
    assert (one.low, one.high) == (-inf, inf)
    assert one.sd is nan or np.isnan(one.sd)


def test_equal_values_have_no_width() -> None:
    found = mean_estimate([0.5] * 8)
    assert (found.low, found.high) == (0.5, 0.5)


def test_order_does_not_matter_and_shifts_shift() -> None:
    found = mean_estimate(SKEWED)
    again = mean_estimate(SKEWED[::-1])
    assert (again.low, again.high) == (found.low, found.high)
    shifted = mean_estimate([x + 1 for x in SKEWED])
    assert (shifted.low, shifted.high) == pytest.approx((found.low + 1, found.high + 1), abs=2e-4)


def test_a_percentile_bootstrap_of_five_values_would_claim_too_much() -> None:
    # why few values get Student's t: of 2,000 samples of five, the bootstrap's 95 % interval holds the mean in ~ 83 %
    random = np.random.default_rng(0)
    samples = random.normal(0, 1, (2000, 5))
    draws = random.integers(0, 5, (400, 5))
    low, high = np.quantile(samples[:, draws].mean(axis=2), (0.025, 0.975), axis=1)
    covered = float(np.mean((low < 0) & (high > 0)))
    exact = [estimate(sample) for sample in samples]
    assert covered < 0.88
    assert np.mean([each.low < 0 < each.high for each in exact]) == pytest.approx(0.95, abs=0.015)
