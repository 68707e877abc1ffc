"""How losses add up: plain sums, and Rényi orders."""

from __future__ import annotations

from math import log

import pytest

from fedmed.scheduling.accounting import ORDERS, EpsilonAccounting, RenyiAccounting, accounting_of


def test_epsilons_are_their_own_amounts() -> None:
    plain = accounting_of("epsilon", 1e-5)
    assert isinstance(plain, EpsilonAccounting)
    assert plain.capacity(3.0).tolist() == [3.0]
    assert plain.cost(2.0).tolist() == [2.0]
    assert plain.largest(plain.capacity(3.0) - plain.cost(2.0)) == 1.0
    assert plain.largest(plain.capacity(1.0) - plain.cost(2.0)) == 0.0


def test_a_block_bears_epsilon_less_what_the_order_costs() -> None:
    found = RenyiAccounting(1e-5).capacity(2.0)
    assert found[-1] == pytest.approx(2.0 - log(1e5) / 63)
    assert found[0] == 0.0


@pytest.mark.parametrize("epsilon", [0.2, 1.0, 8.0, 50.0])
def test_the_amount_is_that_of_the_gaussian_release_of_the_epsilon(epsilon: float) -> None:
    renyi = RenyiAccounting(1e-5)
    rho = renyi.amount(epsilon)
    least = (rho * ORDERS + log(1e5) / (ORDERS - 1)).min()  # (alpha, rho alpha) as (epsilon, delta)
    assert least == pytest.approx(epsilon)
    assert renyi.epsilon(rho) == pytest.approx(epsilon)
    assert renyi.largest(renyi.capacity(epsilon)) == pytest.approx(epsilon)


def test_a_block_bears_more_releases_than_their_epsilons_add_up_to() -> None:
    renyi = RenyiAccounting(1e-5)
    jobs = 9
    assert ((jobs * renyi.cost(1.0) <= renyi.capacity(4.0)) & (renyi.capacity(4.0) > 0)).any()


def test_below_some_epsilon_there_is_no_amount() -> None:
    renyi = RenyiAccounting(1e-5)
    assert renyi.smallest == pytest.approx(log(1e5) / 63)
    assert renyi.amount(renyi.smallest * 0.99) == 0.0
    assert renyi.epsilon(0.0) == 0.0
