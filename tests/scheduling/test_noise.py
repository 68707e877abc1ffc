"""Noise of a run by its epsilon: the accountant agrees, on the side of more noise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fedmed import Experiment, GaussianPrivacy
from fedmed.errors import UserError
from fedmed.scheduling.accounting import EpsilonAccounting, RenyiAccounting
from fedmed.scheduling.noise import noise_for, spent_by

PLAIN = Experiment(rounds=5, clients=4, privacy=GaussianPrivacy())
DRAWN = replace(PLAIN, clients_per_round=2)


@pytest.mark.parametrize(("experiment", "epsilon"), [(PLAIN, 0.5), (PLAIN, 4.0), (PLAIN, 30.0), (DRAWN, 4.0)])
def test_a_run_spends_its_epsilon_and_no_more(experiment: Experiment, epsilon: float) -> None:
    noise = noise_for(epsilon, experiment, 4, EpsilonAccounting(), "demand")
    spent = spent_by(experiment, noise, 4)
    assert 0.99 * epsilon < spent <= epsilon


def test_a_large_epsilon_gets_the_least_noise() -> None:
    assert noise_for(1e9, PLAIN, 4, EpsilonAccounting(), "demand") == 0.05


def test_an_epsilon_that_no_noise_can_keep_is_refused() -> None:
    with pytest.raises(UserError, match=r"demand: expected an epsilon of 0\.\d+ or more, for 5 rounds, got 0\.01"):
        noise_for(0.01, PLAIN, 4, EpsilonAccounting(), "demand")


def test_under_renyi_accounting_a_run_costs_rho_and_no_more_than_its_epsilon() -> None:
    renyi = RenyiAccounting(1e-5)
    noise = noise_for(4.0, PLAIN, 4, renyi, "demand")
    assert PLAIN.rounds / (2 * noise**2) == pytest.approx(renyi.amount(4.0))
    assert 3.4 < spent_by(PLAIN, noise, 4) <= 4.0  # it knows more orders, and a tighter way from them to epsilon
    with pytest.raises(UserError, match="a run of all its hospitals, with accounting: renyi, got one that draws some"):
        noise_for(4.0, DRAWN, 4, renyi, "demand")
