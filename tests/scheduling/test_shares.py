"""Stage 1: golden numbers of the specification, and what the shares of a concave problem have to obey."""

from __future__ import annotations

import numpy as np
import pytest

from fedmed.comparison.fairness import jain
from fedmed.scheduling.measures import envious_pairs, sharing_incentive
from fedmed.scheduling.shares import Array, fair_shares

DEMAND = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])

GOLDEN = [
    (0.5, (0.8811, 0.4582, 0.6608), (0.8917, 1.1976), (0.7048, 0.2291, 0.5947), 0.8626),
    (1.0, (0.7619, 0.6667, 0.5714), (1.1875, 1.8125), (0.6095, 0.3333, 0.5143), 0.9473),
    (2.2, (0.6877, 0.7966, 0.5158), (2.4385, 5.1401), (0.5501, 0.3983, 0.4642), 0.9829),
    (5.0, (0.6536, 0.8562, 0.4902), (10.931, 58.615), (0.5229, 0.4281, 0.4412), 0.9919),
]
BETAS = (0.2, 0.5, 1.0, 2.2, 5.0)


def problem(seed: int) -> tuple[Array, Array, Array]:
    """Demands of 2 to 8 analysts on 1 to 10 blocks, what is left of these, and weights."""
    rng = np.random.default_rng(seed)
    analysts, blocks = int(rng.integers(2, 9)), int(rng.integers(1, 11))
    demand = rng.random((analysts, blocks)) * (rng.random((analysts, blocks)) < 0.5)
    demand[np.arange(analysts), rng.integers(0, blocks, analysts)] += 0.1
    return demand, rng.uniform(0.05, 1.0, blocks), rng.uniform(0.5, 1.5, analysts)


@pytest.mark.parametrize(("beta", "granted", "prices", "utilities", "index"), GOLDEN)
def test_golden(
    beta: float, granted: tuple[float, ...], prices: tuple[float, ...], utilities: tuple[float, ...], index: float
) -> None:
    found = fair_shares(DEMAND, np.ones(2), np.ones(3), beta)
    assert found.granted == pytest.approx(granted, abs=6e-5)
    assert found.prices == pytest.approx(prices, rel=1e-4)
    made = found.granted * DEMAND.max(axis=1)
    assert made == pytest.approx(utilities, abs=6e-5)
    assert jain(made.tolist()) == pytest.approx(index, abs=6e-5)
    assert DEMAND.T @ found.granted == pytest.approx(np.ones(2), abs=1e-6)


def test_the_sum_falls_and_fairness_rises_in_beta() -> None:
    made = [fair_shares(DEMAND, np.ones(2), np.ones(3), beta).granted * DEMAND.max(axis=1) for beta in BETAS]
    sums, fairness = [each.sum() for each in made], [jain(each.tolist()) for each in made]
    assert sums == sorted(sums, reverse=True)
    assert len(set(np.round(sums, 4))) == len(BETAS)
    assert fairness == sorted(set(fairness))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("seed", range(20))
def test_no_block_is_overdrawn_and_no_share_can_be_raised_alone(seed: int, beta: float) -> None:
    demand, left, weights = problem(seed)
    x = fair_shares(demand, left, weights, beta).granted
    load = demand.T @ x
    assert (load <= left * (1 + 1e-12)).all()
    assert ((x >= 0) & (x <= 1)).all()
    full = load >= left * (1 - 1e-3)
    assert all(x[i] > 1 - 1e-3 or (demand[i][full] > 0).any() for i in range(len(x)))


@pytest.mark.parametrize("seed", range(20))
def test_at_beta_1_everybody_gets_what_an_even_division_would_give(seed: int) -> None:
    demand, left, _ = problem(seed)
    assert sharing_incentive(demand, left, fair_shares(demand, left, np.ones(len(demand)), 1.0).granted).all()


@pytest.mark.parametrize("beta", [1.0, 2.2, 5.0])
@pytest.mark.parametrize("seed", range(20))
def test_from_beta_1_on_nobody_envies(seed: int, beta: float) -> None:
    demand, left, _ = problem(seed)
    assert envious_pairs(demand, fair_shares(demand, left, np.ones(len(demand)), beta).granted) == 0


@pytest.mark.parametrize("beta", BETAS)
def test_equal_analysts_get_equal_shares(beta: float) -> None:
    demand = np.vstack([DEMAND, DEMAND[:1]])
    x = fair_shares(demand, np.ones(2), np.ones(4), beta).granted
    assert x[0] == pytest.approx(x[3], abs=1e-5)


def gain(demand: Array, own: Array, beta: float) -> float:
    """By how much more of its true demand analyst 0 is served that asks `own` instead."""
    claimed = np.vstack([own, demand[1:]])
    honest = fair_shares(demand, np.ones(demand.shape[1]), np.ones(len(demand)), beta).granted[0]
    given = fair_shares(claimed, np.ones(demand.shape[1]), np.ones(len(demand)), beta).granted[0] * own
    used = demand[0] > 0
    return float(min(1.0, (given[used] / demand[0][used]).min()) - honest)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("seed", range(12))
def test_asking_more_of_everything_gains_nothing(seed: int, beta: float) -> None:
    demand = problem(seed)[0]
    assert gain(demand, 1.5 * demand[0], beta) < 1e-6


def gains_of_one_block(beta: float) -> list[float]:
    """What asking half as much again of one block gains, over blocks and problems."""
    found = []
    for seed in range(40):
        demand = problem(seed)[0]
        for block in np.flatnonzero(demand[0]):
            own = demand[0].copy()
            own[block] *= 1.5
            found.append(gain(demand, own, beta))
    return found


def test_at_beta_1_asking_more_of_one_block_hardly_ever_gains_and_below_it_may() -> None:
    """Not never: in some problems of many blocks it gains .003 of the demand."""
    fair, unfair = np.array(gains_of_one_block(1.0)), np.array(gains_of_one_block(0.5))
    assert fair.mean() < -0.03
    assert fair.max() < 0.01
    assert (fair > 3e-4).mean() < 0.03
    assert unfair.max() > 0.05


def test_whoever_asks_an_empty_block_gets_nothing_and_takes_nothing_from_others() -> None:
    found = fair_shares(np.array([[0.5, 0.5], [0.0, 0.8]]), np.array([0.0, 0.4]), np.ones(2), 1.0)
    assert found.granted == pytest.approx([0.0, 0.5], abs=1e-6)
    assert found.prices[0] == 0.0


@pytest.mark.parametrize("left", [np.zeros(2), np.ones(2)])
def test_nobody_and_nothing_left(left: Array) -> None:
    assert fair_shares(np.zeros((0, 2)), left, np.zeros(0), 1.0).granted.shape == (0,)
    assert fair_shares(DEMAND, np.zeros(2), np.ones(3), 1.0).granted.tolist() == [0, 0, 0]


def test_all_is_granted_where_all_fits() -> None:
    found = fair_shares(DEMAND / 10, np.ones(2), np.ones(3), 1.0)
    assert found.granted.tolist() == [1, 1, 1]
    assert found.prices == pytest.approx([0, 0], abs=1e-9)
