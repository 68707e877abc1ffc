"""Confidence intervals by the percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).

Images of one patient are not independent, so whole patients are drawn where they are known.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import torch
from torch import Tensor

from fedmed.rng import generator


def interval(
    statistic: Callable[[Tensor], float], groups: Tensor, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Lower and upper bound of a statistic; (nan, nan) when no resample defines it.

    statistic: rows of the examples, drawn with replacement (M,) int64 -> value; nan where it is undefined.
    groups: (N,) int64, the patient of each example; `torch.arange(N)` draws single examples.
    """
    patient = torch.unique(groups, return_inverse=True)[1]
    patients = int(patient.max()) + 1 if len(patient) else 0
    if not patients:
        return nan, nan
    draws = generator(seed, "bootstrap")
    rows = torch.arange(len(patient))
    values = []
    for _ in range(resamples):
        times = torch.randint(patients, (patients,), generator=draws).bincount(minlength=patients)
        values.append(statistic(rows.repeat_interleave(times[patient])))
    found = torch.tensor(values, dtype=torch.float64)
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = found.nanquantile(tails).tolist()
    return low, high
