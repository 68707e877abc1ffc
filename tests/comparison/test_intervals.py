"""Intervals of means: Student's t of few values, BCa of more, and both cover what they claim to."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from fedmed.comparison.intervals import of_mean
from fedmed.comparison.paired import estimate

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
    found = of_mean(SKEWED)
    assert (found.low, found.high) == pytest.approx(_bca(SKEWED), abs=0.0045)
    plain = estimate(SKEWED)
    assert (found.mean, found.sd) == (plain.mean, plain.sd)
    assert found.high - found.mean > 1.2 * (found.mean - found.low)  # skewed as the values are


def test_below_ten_values_it_is_students_t() -> None:
    assert of_mean(SKEWED[:9]) == estimate(SKEWED[:9])
    one = of_mean([0.5])
    assert (one.low, one.high) == (-inf, inf)
    assert one.sd is nan or np.isnan(one.sd)


def test_equal_values_have_no_width() -> None:
    found = of_mean([0.5] * 8)
    assert (found.low, found.high) == (0.5, 0.5)


def test_order_does_not_matter_and_shifts_shift() -> None:
    found = of_mean(SKEWED)
    again = of_mean(SKEWED[::-1])
    assert (again.low, again.high) == (found.low, found.high)
    shifted = of_mean([x + 1 for x in SKEWED])
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
