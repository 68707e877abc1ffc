"""Ranks over worlds: Friedman's test, and Nemenyi's critical difference.

Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006. A world counts once, by the means
over its seeds: seeds of one world are no independent worlds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from statistics import fmean

from fedmed.comparison.rows import Ranking
from fedmed.comparison.significance import ALPHA

WORLDS = 5
"""Worlds below which ranks are given but not tested."""

ARMS = 3
"""Arms below which there is nothing to rank that the difference does not say."""


def ranking(
    means: Mapping[str, Mapping[str, float]], arms: Sequence[str], *, metric: str, greater: bool
) -> Ranking | None:
    """Average ranks of the arms, in the worlds that hold them all; None for one such world or fewer than three arms.

    means: world -> arm -> mean.
    """
    worlds = [world for world, found in means.items() if all(arm in found for arm in arms)]
    if len(worlds) < 2 or len(arms) < ARMS:
        return None
    table = [_ranks([means[world][arm] for arm in arms], greater) for world in worlds]
    ranks = {arm: fmean(column) for arm, column in zip(arms, zip(*table, strict=True), strict=True)}
    ordered = sorted(arms, key=ranks.__getitem__)
    plain = Ranking(
        metric=metric, arms=tuple(ordered), ranks=tuple(ranks[arm] for arm in ordered), worlds=tuple(worlds)
    )
    return _tested(plain, table) if len(worlds) >= WORLDS else plain


def critical_difference(arms: int, worlds: int) -> float:
    """How far average ranks must lie apart at 5 %: q sqrt(k (k + 1) / 6 N), q of the studentized range by sqrt 2."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - ALPHA, arms, inf)) / sqrt(2)
    return q * sqrt(arms * (arms + 1) / (6 * worlds))


def alike(arms: Sequence[str], ranks: Sequence[float], critical: float) -> tuple[tuple[str, ...], ...]:
    """The longest runs of arms, best first, whose ranks differ by less than the critical difference."""
    groups: list[tuple[int, int]] = []
    for first in range(len(arms)):
        last = max(place for place in range(first, len(arms)) if ranks[place] - ranks[first] < critical)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return tuple(tuple(arms[first : last + 1]) for first, last in groups)


def _ranks(values: Sequence[float], greater: bool) -> list[float]:
    """1 for the best; equals share the mean of their places."""
    from scipy.stats import rankdata

    return [float(rank) for rank in rankdata([-value if greater else value for value in values])]


def _tested(plain: Ranking, table: Sequence[Sequence[float]]) -> Ranking:
    """With Friedman's test; where it sees no difference, all arms are alike (Nemenyi's test comes only after it)."""
    statistic, p = _friedman(table)
    critical = critical_difference(len(plain.arms), len(table))
    return Ranking(
        metric=plain.metric,
        arms=plain.arms,
        ranks=plain.ranks,
        worlds=plain.worlds,
        statistic=statistic,
        p=p,
        critical=critical,
        alike=alike(plain.arms, plain.ranks, critical) if p < ALPHA else (plain.arms,),
    )


def _friedman(table: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Statistic, corrected for ties, and p; 0 and 1 where every world has all arms tied."""
    if all(len(set(row)) == 1 for row in table):
        return 0.0, 1.0
    from scipy.stats import friedmanchisquare

    found = friedmanchisquare(*zip(*table, strict=True))
    return float(found.statistic), float(found.pvalue)
