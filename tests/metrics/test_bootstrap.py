from __future__ import annotations

import math

import pytest
import torch

from fedmed.metrics.bootstrap import interval

VALUES = torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def mean(rows: torch.Tensor) -> float:
    return VALUES[rows].mean().item()


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    low, high = interval(mean, torch.arange(200), seed=0)
    error = VALUES.std().item() / math.sqrt(200)
    assert low == pytest.approx(VALUES.mean().item() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(VALUES.mean().item() + 1.96 * error, abs=0.15 * error)


def test_a_higher_level_is_wider() -> None:
    narrow, wide = (interval(mean, torch.arange(200), seed=0, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_equal_seeds_give_equal_bounds() -> None:
    first, again, other = (interval(mean, torch.arange(200), seed=s, resamples=50) for s in (0, 0, 1))
    assert first == again != other


def test_rows_of_a_group_come_together() -> None:
    groups = torch.tensor([7, 7, 3, 7, 3])

    def together(rows: torch.Tensor) -> float:
        times = rows.bincount(minlength=5)
        assert times[0] == times[1] == times[3]
        assert times[2] == times[4]
        assert times[0] + times[2] == 2  # two patients are drawn
        return 0.0

    assert interval(together, groups, seed=0, resamples=20) == (0, 0)


def test_resamples_without_a_value_are_left_out() -> None:
    draws = iter([1.0, math.nan, 1.0, math.nan])
    assert interval(lambda _: next(draws), torch.arange(3), seed=0, resamples=4) == (1, 1)
    bounds = interval(lambda _: math.nan, torch.arange(3), seed=0, resamples=4)
    assert all(math.isnan(bound) for bound in bounds)


def test_nothing_has_no_interval() -> None:
    assert all(math.isnan(bound) for bound in interval(mean, torch.zeros(0, dtype=torch.int64), seed=0))
