"""Stage 1 of DPBalance: which part of its demand each analyst gets, by the fairness that `beta` asks for.

The concave problem is solved in its dual, one price for each block, by SciPy's L-BFGS-B. The paper does not say which
solver it uses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST = 1e-12
"""What counts as nothing left of a block, and as no demand."""


class FairShares(NamedTuple):
    """The solution of stage 1.

    granted: x (M,), which part of its demand each analyst gets, 0 to 1. prices: p (K,) of the blocks, 0 where one is
    not full.
    """

    granted: Array
    prices: Array


def fair_shares(demand: Array, left: Array, weights: Array, beta: float) -> FairShares:
    """Maximises sum_i U_i^(1 - beta) / (1 - beta), sum_i log U_i at beta = 1, of U_i = a_i mu_i x_i.

    demand: G (M, K), what each analyst asks of each block, as a part of the block's capacity. left: c (K,), what is
    left of it. weights: a (M,), what a unit of an analyst's demand is worth. beta: aversion to inequality (> 0).
    No block is asked for more than is left of it, and 0 <= x <= 1.
    """
    utility = weights * demand.max(axis=1, initial=0.0)  # s_i = a_i mu_i
    empty = left <= SMALLEST
    served = (utility > 0) & ~(demand[:, empty] > SMALLEST).any(axis=1)
    granted, prices = np.zeros(len(demand)), np.zeros(len(left))
    used = ~empty & (demand[served] > SMALLEST).any(axis=0)
    if not served.any():
        return FairShares(granted, prices)
    # loads as parts of what is left, and utilities as parts of the largest, keep the problem well scaled
    largest = utility.max()
    loads = demand[np.ix_(served, used)] / left[used]
    solved = _solve(loads, (utility[served] / largest) ** (1 - beta), beta)
    granted[served] = _within(loads, _responses(loads @ solved, (utility[served] / largest) ** (1 - beta), beta))
    prices[used] = solved / left[used] * largest ** (1 - beta)
    return FairShares(granted, prices)


def _responses(cost: Array, scale: Array, beta: float) -> Array:
    # x_i = min(1, (s_i^(1 - beta) / sum_k p_k G_ik)^(1 / beta))
    with np.errstate(divide="ignore"):
        found: Array = np.minimum(1.0, (scale / cost) ** (1 / beta))
    return found


def _solve(loads: Array, scale: Array, beta: float) -> Array:
    """Prices (K,) at which every block is full or free. loads (M, K): of x = 1, over what is left."""
    from scipy.optimize import minimize

    def dual(prices: Array) -> tuple[float, Array]:
        cost = loads @ prices
        x = _responses(cost, scale, beta)
        utility = scale * (np.log(x) if beta == 1 else x ** (1 - beta) / (1 - beta))
        return float((utility - x * cost).sum() + prices.sum()), 1.0 - loads.T @ x

    blocks = loads.shape[1]
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": 1e-10}
    found: Array = minimize(
        dual, np.ones(blocks), jac=True, method="L-BFGS-B", bounds=[(0, None)] * blocks, options=options
    ).x
    return found


def _within(loads: Array, x: Array) -> Array:
    """Scales analysts down where rounding has filled a block to more than there is; each by its fullest block."""
    total = loads.T @ x
    factor = np.where(total > 1, 1 / np.maximum(total, 1), 1.0)  # (K,)
    found: Array = x * np.where(loads > 0, factor, 1.0).min(axis=1)
    return found
