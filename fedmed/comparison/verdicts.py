"""Which arms of a world differ: tests against a reference, the best, and those not significantly worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from fedmed.comparison.rows import Mark, Test
from fedmed.comparison.significance import ALPHA, FEW, choose, holm, p_value

Values = Mapping[int, float]
"""A value per seed."""


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
