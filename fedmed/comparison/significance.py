"""Tests of paired differences, their correction and their effect size.

Student's paired t is what a handful of seeds can carry. Wilcoxon's signed ranks ask for less but cannot reach 5 % with
five pairs (the least p is 2 / 2^n), so they take over from ten pairs on, where they can and where an outlier, such as a
run that diverged, would rule the t test. Holm, Scandinavian Journal of Statistics 1979; Hedges, Journal of Educational
Statistics 1981.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, lgamma, sqrt
from statistics import fmean, stdev
from typing import Any

from fedmed.comparison.rows import Mark, Test

FEW = 5
"""Pairs below which nothing is tested."""

MANY = 10
"""Pairs from which Wilcoxon's test is the one."""

ALPHA = 0.05

Values = Mapping[int, float]
"""A value per seed."""


def choose(pairs: int, tests: int = 1) -> Test:
    """The test for so many pairs, of which so many are corrected together; empty for too few pairs."""
    if pairs < FEW:
        return ""
    return "wilcoxon" if pairs >= MANY and tests * 2 / 2**pairs <= ALPHA else "t"


def p_value(differences: Sequence[float], test: Test) -> float | None:
    """Two-sided p of a mean (t) or median (wilcoxon) of 0; 1 where all differences are 0, None without a test."""
    if not test:
        return None
    if not any(differences):
        return 1.0
    from scipy.stats import ttest_1samp, wilcoxon

    if test != "wilcoxon" and len(set(differences)) == 1:
        return 0.0
    found: Any = wilcoxon(differences) if test == "wilcoxon" else ttest_1samp(differences, 0)  # made at run time
    return float(found.pvalue)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's p values: the i-th smallest of m times (m - i + 1), never below an earlier one, at most 1."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - place) * p[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p}


def hedges_g(differences: Sequence[float]) -> float | None:
    """Cohen's d of paired differences, mean / sd, times Hedges' correction; None below three or without spread."""
    if len(differences) < 3 or (sd := stdev(differences)) == 0:
        return None
    freedom = len(differences) - 1
    # J = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2))
    correction = exp(lgamma(freedom / 2) - lgamma((freedom - 1) / 2)) / sqrt(freedom / 2)
    return correction * fmean(differences) / sd


def detectable(pairs: int, tests: int) -> float:
    """The least |mean| / sd of differences that the t test calls significant where Holm is strictest."""
    from scipy.stats import t

    return float(t.ppf(1 - ALPHA / (2 * tests), pairs - 1)) / sqrt(pairs)


def differences(values: Mapping[str, Values], arm: str, other: str) -> list[float]:
    """The values of arm - other, over the seeds that both have."""
    ours, theirs = values[arm], values.get(other, {})
    return [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]


def p_values(values: Mapping[str, Values], arms: Sequence[str], other: str) -> tuple[dict[str, float], Test]:
    """The p of each arm's difference to the other, all by one test: the one that the fewest pairs can carry."""
    paired = {arm: found for arm in arms if len(found := differences(values, arm, other)) >= FEW}
    test = choose(min(map(len, paired.values()), default=0), len(paired))
    return {arm: p for arm, each in paired.items() if (p := p_value(each, test)) is not None}, test


def marks(values: Mapping[str, Values], arms: Sequence[str], greater: bool) -> dict[str, Mark]:
    """The best of the arms that have the most seeds, and those not significantly worse; none where seeds are few."""
    most = max((len(values[arm]) for arm in arms), default=0)
    if most < FEW or len(arms) < 2:
        return {}
    means = {arm: fmean(values[arm].values()) for arm in arms if len(values[arm]) == most}
    best = (max if greater else min)(means, key=means.__getitem__)
    p, _ = p_values(values, [arm for arm in arms if arm != best], best)
    near = [arm for arm, corrected in holm(p).items() if corrected >= ALPHA or _ahead(values, arm, best, greater)]
    return {best: "best", **dict.fromkeys(near, "near")}


def _ahead(values: Mapping[str, Values], arm: str, best: str, greater: bool) -> bool:
    """Whether an arm with fewer seeds does better on those than the best."""
    return (fmean(differences(values, arm, best)) > 0) == greater
