"""Confidence intervals by the percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).

Images of one patient are not independent, so whole patients are drawn where they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import nan

import torch
from torch import Tensor

from fedmed import rng


def interval(
    statistic: Callable[[Tensor], float], groups: Tensor, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Lower and upper bound of a statistic; (nan, nan) when no resample defines it.

    statistic: rows of the examples, drawn with replacement (M,) int64 -> value; nan where it is undefined.
    groups: (N,) int64, the patient of each example; `torch.arange(N)` draws single examples.
    """
    rows = torch.arange(len(groups))
    values = [statistic(rows.repeat_interleave(times)) for times in draws(groups, seed=seed, resamples=resamples)]
    return percentiles(values, level)


def draws(groups: Tensor, *, seed: int, resamples: int) -> Iterator[Tensor]:
    """How often every example is drawn, (N,) int64, resample after resample; none where there are no examples."""
    patient = torch.unique(groups, return_inverse=True)[1]
    patients = int(patient.max()) + 1 if len(patient) else 0
    generator = rng.generator(seed, "bootstrap")
    for _ in range(resamples if patients else 0):
        yield torch.randint(patients, (patients,), generator=generator).bincount(minlength=patients)[patient]


def percentiles(values: Sequence[float], level: float) -> tuple[float, float]:
    """The bounds between which a share `level` of the values lies; (nan, nan) where none is defined."""
    if not values:
        return nan, nan
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.tensor(values, dtype=torch.float64).nanquantile(tails).tolist()
    return low, high
