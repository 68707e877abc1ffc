"""Intervals of a mean over seeds: the bootstrap where there are values enough to draw from, else Student's t.

The bootstrap is BCa (Efron, Better bootstrap confidence intervals, JASA 1987), by scipy. Of few values it covers less
than it says: of normal ones the 95 % interval held the mean in 83 % of cases with five (percentile), 87 % with six and
91 % with ten. Student's t covers as it says where runs vary normally, and is wide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedmed.comparison.paired import Estimate, estimate
from fedmed.rng import numpy_generator

ENOUGH = 10
"""Values from which the bootstrap is used."""

RESAMPLES = 4999


def of_mean(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean, its sd and its interval, whatever the order of the values; raises ValueError where there are none."""
    plain = estimate(values, level)
    if len(values) < ENOUGH or plain.sd == 0:
        return plain
    from scipy.stats import bootstrap

    draws = numpy_generator(0, "interval of a mean")
    ordered = sorted(values)
    found = bootstrap(
        (ordered,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        random_state=draws,  # pyright: ignore[reportCallIssue]  # scipy before 1.15 has no other name for it
    )
    return plain._replace(low=float(found.confidence_interval.low), high=float(found.confidence_interval.high))
