"""Tests, corrections and effect sizes against numbers that were worked out apart from the code."""

from __future__ import annotations

from itertools import product
from math import gamma, sqrt

import pytest
from scipy.integrate import quad

from fedmed.comparison.significance import choose, detectable, hedges_g, holm, p_value

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]
TWELVE = [0.3, -0.1, 0.5, 0.7, 0.2, -0.4, 0.9, 1.1, 0.05, 0.6, -0.25, 0.8]


def _tail_of_t(value: float, freedom: int) -> float:
    """Two-sided, by integrating the density."""
    scale = gamma((freedom + 1) / 2) / (sqrt(freedom * 3.141592653589793) * gamma(freedom / 2))
    density = lambda x: scale * (1 + x * x / freedom) ** (-(freedom + 1) / 2)  # noqa: E731
    return 2 * float(quad(density, value, float("inf"))[0])


def _signed_ranks(differences: list[float]) -> float:
    """Exact two-sided p: over all signs, how often the lesser rank sum is as small as here."""
    order = sorted(range(len(differences)), key=lambda i: abs(differences[i]))
    ranks = {index: rank for rank, index in enumerate(order, 1)}
    whole = sum(ranks.values())
    seen = sum(ranks[i] for i, value in enumerate(differences) if value > 0)
    sums = [sum(rank for rank, sign in zip(ranks.values(), signs, strict=True) if sign) for signs in _signs(12)]
    return sum(min(s, whole - s) <= min(seen, whole - seen) for s in sums) / len(sums)


def _signs(number: int) -> list[tuple[int, ...]]:
    return list(product((0, 1), repeat=number))


def test_the_t_test_is_that_of_the_textbook() -> None:
    # mean 3, sd sqrt(2.5), n 5: t = 3 / sqrt(0.5) = 4.2426 with 4 degrees of freedom
    assert p_value(FIVE, "t") == pytest.approx(_tail_of_t(3 / sqrt(0.5), 4), rel=1e-6)
    assert p_value(FIVE, "t") == pytest.approx(0.013236, abs=1e-5)


def test_wilcoxons_test_is_exact() -> None:
    assert p_value(TWELVE, "wilcoxon") == pytest.approx(_signed_ranks(TWELVE), rel=1e-9)


@pytest.mark.parametrize("test", ["t", "wilcoxon"])
def test_signs_do_not_matter_and_equals_do_not_differ(test: str) -> None:
    assert p_value([-x for x in TWELVE], test) == p_value(TWELVE, test)  # type: ignore[arg-type]
    assert p_value([0.0] * 12, test) == 1.0  # type: ignore[arg-type]


def test_a_constant_difference_is_sure() -> None:
    assert p_value([0.5] * 5, "t") == 0.0


def test_nothing_is_tested_with_four_pairs() -> None:
    assert choose(4) == ""
    assert p_value([1.0, 2.0, 3.0, 4.0], "") is None


def test_wilcoxon_is_used_where_it_can_reach_five_percent() -> None:
    assert choose(5) == "t"
    assert choose(9) == "t"
    assert choose(10) == "wilcoxon"
    assert choose(10, tests=25) == "wilcoxon"  # 25 * 2 / 2^10 = .0488
    assert choose(10, tests=26) == "t"


def test_holm_is_that_of_the_worked_example() -> None:
    # Holm 1979: sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, then made monotone
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_hedges_g_is_cohens_d_times_the_exact_correction() -> None:
    # J(4) = Gamma(2) / (sqrt(2) Gamma(1.5)) = 1 / (sqrt(2) * 0.886227) = 0.797885
    assert hedges_g(FIVE) == pytest.approx(0.797885 * 3 / sqrt(2.5), abs=1e-5)
    assert hedges_g([1.0, 2.0]) is None
    assert hedges_g([1.0, 1.0, 1.0]) is None


def test_what_is_detectable_is_just_significant() -> None:
    # differences with mean / sd at the edge: the t test gives .05 exactly
    edge = detectable(5, 1) * sqrt(2.5)
    assert p_value([x - 3 + edge for x in FIVE], "t") == pytest.approx(0.05)
    assert detectable(5, 4) > detectable(5, 1) > detectable(20, 1)
