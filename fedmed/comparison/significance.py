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

from fedmed.comparison.rows import Test

FEW = 5
"""Pairs below which nothing is tested."""

MANY = 10
"""Pairs from which Wilcoxon's test is the one."""

ALPHA = 0.05


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
