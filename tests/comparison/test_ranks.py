"""Ranks, Friedman's test and Nemenyi's critical difference, against Demsar's worked example and tables."""

from __future__ import annotations

import pytest

from fedmed.comparison.ranks import alike, critical_difference, ranking

# AUC of C4.5 and its variants on 14 data sets: Demsar, JMLR 2006, table 6
DEMSAR = """
.763 .768 .771 .798
.599 .591 .590 .569
.954 .971 .968 .967
.628 .661 .654 .657
.882 .888 .886 .898
.936 .931 .916 .931
.661 .668 .609 .685
.583 .583 .563 .625
.775 .838 .866 .875
1.000 1.000 1.000 1.000
.940 .962 .965 .962
.619 .666 .614 .669
.972 .981 .9751 .975
.957 .978 .946 .970
"""
ARMS = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
MEANS = {
    f"world {n}": dict(zip(ARMS, map(float, line.split()), strict=True))
    for n, line in enumerate(DEMSAR.strip().splitlines())
}


def test_the_worked_example_of_demsar() -> None:
    found = ranking(MEANS, ARMS, metric="test.auc", greater=True)
    assert found is not None
    ranks = dict(zip(found.arms, found.ranks, strict=True))
    # the paper: ranks 3.143, 2.000, 2.893, 1.964, chi2 9.28 (not corrected for ties: three pairs, one four), CD 1.25
    assert ranks == pytest.approx({"C4.5": 3.143, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}, abs=0.001)
    assert found.statistic == pytest.approx(9.28 / (1 - (3 * 6 + 60) / (14 * 60)), abs=0.01)
    assert found.critical == pytest.approx(1.25, abs=0.005)
    assert found.p is not None
    assert found.p < 0.05
    assert found.arms[0] == "C4.5+m+cf"


@pytest.mark.parametrize(("arms", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_quantiles_are_those_of_demsars_table(arms: int, q: float) -> None:
    assert critical_difference(arms, 20) == pytest.approx(q * (arms * (arms + 1) / 120) ** 0.5, rel=5e-4)


def test_arms_within_the_critical_difference_are_alike() -> None:
    arms, ranks = ("a", "b", "c", "d"), (1.0, 2.0, 2.8, 4.0)
    assert alike(arms, ranks, 1.9) == (("a", "b", "c"), ("c", "d"))
    assert alike(arms, ranks, 0.5) == ()
    assert alike(arms, ranks, 9.0) == (arms,)


def test_where_friedman_sees_nothing_all_are_alike_however_far_apart() -> None:
    table = ["615423", "564321", "643521", "562314", "624135"]  # ranks of six arms in five worlds
    means = {f"w{n}": dict(zip("abcdef", map(float, line), strict=True)) for n, line in enumerate(table)}
    found = ranking(means, tuple("abcdef"), metric="m", greater=False)
    assert found is not None
    assert found.p == pytest.approx(0.0626, abs=1e-4)
    assert found.critical is not None
    assert found.ranks[-1] - found.ranks[0] > found.critical
    assert found.alike == (found.arms,)


def test_ties_everywhere_are_no_difference() -> None:
    means = {f"w{n}": dict.fromkeys("abc", 1.0) for n in range(6)}
    found = ranking(means, ("a", "b", "c"), metric="m", greater=True)
    assert found is not None
    assert (found.statistic, found.p) == (0.0, 1.0)


def test_less_may_be_better() -> None:
    up = ranking(MEANS, ARMS, metric="m", greater=True)
    down = ranking(MEANS, ARMS, metric="m", greater=False)
    assert up is not None
    assert down is not None
    assert down.arms == up.arms[::-1]
    assert down.ranks == pytest.approx(tuple(5 - rank for rank in up.ranks[::-1]))


def test_ranks_do_not_depend_on_the_order_of_arms_or_on_a_shift_of_a_world() -> None:
    shifted = {world: {arm: v + 3 * n for arm, v in found.items()} for n, (world, found) in enumerate(MEANS.items())}
    one = ranking(MEANS, ARMS, metric="m", greater=True)
    other = ranking(shifted, ARMS[::-1], metric="m", greater=True)
    assert one is not None
    assert other is not None
    assert dict(zip(one.arms, one.ranks, strict=True)) == pytest.approx(dict(zip(other.arms, other.ranks, strict=True)))
    assert one.p == pytest.approx(other.p)


def test_few_worlds_are_ranked_and_not_tested() -> None:
    few = dict(list(MEANS.items())[:4])
    found = ranking(few, ARMS, metric="m", greater=True)
    assert found is not None
    assert (found.critical, found.p, found.alike) == (None, None, ())


def test_one_world_or_two_arms_are_not_ranked() -> None:
    assert ranking(dict(list(MEANS.items())[:1]), ARMS, metric="m", greater=True) is None
    assert ranking(MEANS, ARMS[:2], metric="m", greater=True) is None


def test_a_world_that_lacks_an_arm_takes_no_part() -> None:
    means = {**MEANS, "odd": {"C4.5": 1.0}}
    found = ranking(means, ARMS, metric="m", greater=True)
    assert found is not None
    assert "odd" not in found.worlds
