"""When a learning curve says that a net begins to fit what masks leave out.

The slope of a saturating curve as the sign of memorised errors is ADELE's (Liu et al., CVPR 2022, arXiv 2110.03740),
the line through the warm-up is in the code of FedIA's authors (Xiang et al., MICCAI 2024, arXiv 2407.02280), the knee
is ours. A curve is the (round, IoU) of every round that a client took part in, (n, 2).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Trigger:
    """What tells by a client's curve that it begins to fit omissions.

    kind: knee, adele, linear, fixed_round or never, as in FedIA. fall: how much of its slope the curve has lost, for
    adele. delta: how far it is below the line (IoU), for linear. round: for fixed_round.
    """

    kind: str
    fall: float
    delta: float
    round: int

    def fires(self, curve: Tensor, first: int, *, knee: bool) -> bool:
        """Whether it fires in the curve's last round.

        first: the last round of the warm-up. knee: whether the curve is or was `past_knee`.
        """
        if self.kind == "knee":
            return knee
        if self.kind == "linear":
            short = shortfall(curve, first)
            return short is not None and short > self.delta
        if self.kind == "adele":
            left = remaining_slope(curve)
            # g'(t+1) < (1 - r) g'(1)
            return left is not None and left < 1 - self.fall
        return self.kind == "fixed_round" and float(curve[-1, 0]) >= self.round


def past_knee(curve: Tensor, window: int, fall: float) -> bool:
    """Whether the last rise of a curve over `window` entries is less than 1 - `fall` of the largest such rise.

    False for a curve that has never risen, and while there are fewer than two rises to compare.
    """
    # r_t = IoU_t - IoU_{t-w};  r_t < (1 - f) max_{s <= t} r_s
    iou = curve[:, 1]
    rise = iou[window:] - iou[:-window]
    return len(rise) > 1 and bool(rise.max() > 0) and bool(rise[-1] < (1 - fall) * rise.max())


def shortfall(curve: Tensor, first: int) -> float | None:
    """How far the last IoU is below the least-squares line through those up to round `first`; None without a line."""
    x, y = curve[curve[:, 0] <= first].unbind(1)
    if len(x) < 2:
        return None
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    # A_k t + B_k - IoU_k^t
    return float(slope * (curve[-1, 0] - x.mean()) + y.mean() - curve[-1, 1])


def remaining_slope(curve: Tensor) -> float | None:
    """Slope of the saturating curve through (round, IoU) pairs (n, 2) in the last round, relative to round 1.

    None for fewer than four points, and, with a warning, where no curve was found.
    """
    fit = saturation(*curve.unbind(1)) if len(curve) >= 4 else None
    return None if fit is None else slope_left(float(curve[-1, 0]), *fit[1:])


def saturation(u: Tensor, y: Tensor) -> tuple[float, float, float] | None:
    """a, b, c of the curve a (1 - exp(-u^b / c)), 0 < a, b <= 1, c > 0, nearest to points (n,); None if none is found.

    u: round, from 1.
    """
    from scipy.optimize import curve_fit

    bounds = ((1e-9, 1e-9, 1e-9), (1, 1, np.inf))
    try:
        found, _ = curve_fit(_curve, u.numpy(), y.numpy(), p0=(1, 1, 1), bounds=bounds)
    except (RuntimeError, ValueError) as error:
        warnings.warn(f"no saturating curve fits a client's learning curve: {error}", stacklevel=2)
        return None
    a, b, c = found.tolist()
    return a, b, c


def slope_left(u: float, b: float, c: float) -> float:
    """The slope of a (1 - exp(-u^b / c)) at u relative to that at 1."""
    # g'(u) = (a b / c) u^(b-1) exp(-u^b / c)
    return float(u ** (b - 1) * np.exp((1 - u**b) / c))


def _curve(u: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    return a * (1 - np.exp(-(u**b) / c))
