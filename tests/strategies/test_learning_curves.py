import math

import pytest
import torch
from torch import Tensor

from fedmed.strategies._learning_curves import past_knee, remaining_slope, saturation, shortfall, slope_left


def curve(iou: list[float], first: int = 1) -> Tensor:
    return torch.tensor([[first + i, value] for i, value in enumerate(iou)], dtype=torch.float64)


def test_shortfall_from_the_warm_up_s_line() -> None:
    """I5: history .10 .20 .25 .35, line .08 t + .105, T = 3."""
    history = [0.10, 0.20, 0.25, 0.35, 0.40]
    assert shortfall(curve(history), 4) == pytest.approx(0.025, abs=1e-6)
    assert shortfall(curve([*history, 0.45]), 4) == pytest.approx(0.055, abs=1e-6)


def test_shortfall_of_a_saturating_curve() -> None:
    """I5: .6 (1 - exp(-t / 12)), T = 30: gap .0912 in the first possible round."""
    history = [0.6 * (1 - math.exp(-t / 12)) for t in range(32)]
    assert shortfall(curve(history), 31) == pytest.approx(0.0912, abs=1e-4)


def test_fits_need_points() -> None:
    assert shortfall(curve([0.1, 0.2]), 1) is None
    assert remaining_slope(curve([0.1, 0.2, 0.25])) is None


def test_slope_left() -> None:
    """I10, closed form."""
    assert slope_left(28, 1, 12) == pytest.approx(0.105399, abs=1e-5)
    assert slope_left(29, 1, 12) == pytest.approx(0.096972, abs=1e-5)
    assert slope_left(10, 0.5, 2) == pytest.approx(0.107263, abs=1e-5)
    assert slope_left(11, 0.5, 2) == pytest.approx(0.094679, abs=1e-5)


@pytest.mark.parametrize(("b", "c", "fires"), [(1.0, 12.0, 29), (0.5, 2.0, 11)])
def test_the_fitted_slope_falls_below_a_tenth_where_the_closed_form_does(b: float, c: float, fires: int) -> None:
    """I10."""
    history = [0.6 * (1 - math.exp(-(u**b) / c)) for u in range(1, fires + 1)]
    assert remaining_slope(curve(history[:-1])) == pytest.approx(slope_left(fires - 1, b, c), abs=1e-3)
    below = remaining_slope(curve(history))
    assert below is not None
    assert below < 0.1


def test_a_failed_fit_warns_and_says_nothing() -> None:
    with pytest.warns(UserWarning, match="learning curve"):
        assert saturation(torch.arange(1.0, 6), torch.full((5,), float("nan"))) is None


def test_a_curve_is_past_its_knee_where_its_rise_has_fallen_far_enough() -> None:
    """Rises over two rounds: .04, .10, .20, .18, .05, .02; the largest is .20."""
    history = [0.02, 0.04, 0.06, 0.14, 0.26, 0.32, 0.31, 0.34]
    fired = [past_knee(curve(history[:n]), 2, 0.8) for n in range(1, 9)]
    assert fired == [False] * 7 + [True]
    assert [past_knee(curve(history[:n]), 2, 0.7) for n in range(1, 9)] == [False] * 6 + [True, True]


def test_a_curve_without_a_rise_has_no_knee() -> None:
    assert not past_knee(curve([0.0] * 9), 3, 0.9)
    assert not past_knee(curve([0.5, 0.4, 0.3, 0.2, 0.1, 0.0]), 2, 0.9)
    assert not past_knee(curve([0.1, 0.9]), 4, 0.9)


def test_the_knee_of_an_s_curve_is_behind_its_steep_part() -> None:
    """.6 / (1 + exp(-(t - 12) / 2)): half of it at 12, nine tenths at 16.4."""
    history = [0.6 / (1 + math.exp(-(t - 12) / 2)) for t in range(1, 41)]
    first = next(n for n in range(1, 41) if past_knee(curve(history[:n]), 4, 0.9))
    assert 18 <= first <= 24
