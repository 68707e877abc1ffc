"""What a schedule is judged by: efficiency, fairness, and what analysts could hold against one another's shares.

Jain's index: `fedmed.comparison.fairness.jain`.
"""

from __future__ import annotations

from math import copysign, isfinite

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SLACK = 1e-3
"""By how much a share may miss what is promised, as far as it is due to rounding."""


def platform_utility(utilities: Array, beta: float, weight: float | None = None) -> float | None:
    """The platform's f = sgn(1 - beta) (sum_i (U_i / sum U)^(1 - beta))^(1 / beta) (sum U)^lambda.

    At beta = 1 the exponential of the entropy of U / sum U takes the place of the first two factors. weight: lambda;
    None for (1 - beta) / beta, at which only the sum over the U themselves is left. The value is None where it is not
    finite.
    """
    total = float(utilities.sum())
    if total <= 0:
        return None
    parts = utilities / total
    with np.errstate(divide="ignore"):
        if beta == 1:
            known = parts[parts > 0]
            spread = float(np.exp(-(known * np.log(known)).sum()))
        else:
            spread = copysign(float((parts ** (1 - beta)).sum() ** (1 / beta)), 1 - beta)
    value = spread * total ** ((1 - beta) / beta if weight is None else weight)
    return value if isfinite(value) else None


def sharing_incentive(demand: Array, left: Array, granted: Array) -> NDArray[np.bool_]:
    """Which analysts get at least what an even division of every block would give them.

    demand: G (M, K). left: c (K,). granted: x (M,).
    """
    with np.errstate(divide="ignore"):
        even = np.where(demand > 0, left / (len(demand) * np.where(demand > 0, demand, 1.0)), np.inf).min(axis=1)
    found: NDArray[np.bool_] = granted >= np.minimum(1.0, even) - SLACK
    return found


def envious_pairs(demand: Array, granted: Array) -> int:
    """How many ordered pairs of analysts there are of which one would be better off with the other's budget.

    demand: G (M, K). granted: x (M,).
    """
    budgets = demand * granted[:, None]  # (M, K)
    count = 0
    for analyst, demanded in enumerate(demand):
        used = demanded > 0
        with_other = np.minimum(1.0, (budgets[:, used] / demanded[used]).min(axis=1))  # (M,)
        count += int((np.delete(with_other, analyst) > granted[analyst] + SLACK).sum())
    return count
