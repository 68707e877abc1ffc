"""Estimates from repeated runs: means, and differences between two arms that share their seeds.

Runs with the same seed share data, partition, first weights and client order, so their differences vary less than the
runs themselves. Intervals are Student's t: a few seeds give wide ones, and one gives none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, nan, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from fedmed.errors import refuse


class Estimate(NamedTuple):
    """A mean of `number` values, their standard deviation, and the interval that covers the true mean at the level.

    sd: nan for one value. low, high: -inf and inf for one value.
    """

    mean: float
    sd: float
    low: float
    high: float
    number: int

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def estimate(values: Iterable[float], level: float = 0.95) -> Estimate:
    """The mean of independent values with its t interval; raises ValueError where there are none."""
    found = list(values)
    mean = fmean(found)
    if len(found) == 1:
        return Estimate(mean, nan, -inf, inf, 1)
    from scipy.stats import t

    sd = stdev(found)
    half = float(t.ppf((1 + level) / 2, len(found) - 1)) * sd / sqrt(len(found))
    return Estimate(mean, sd, mean - half, mean + half, len(found))


def difference(ours: Mapping[int, float], reference: Mapping[int, float], level: float = 0.95) -> Estimate:
    """The mean of ours - reference over seeds; both hold a value per seed, and UserError says where one does not."""
    if alone := sorted(ours.keys() ^ reference.keys()):
        raise refuse("seeds", "runs of both arms with the same seeds", f"seed {alone[0]} in one only", "Run it too.")
    return estimate((ours[seed] - reference[seed] for seed in sorted(ours)), level)
