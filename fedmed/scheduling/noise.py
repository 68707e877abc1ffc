"""From the epsilon of a job to the noise of its run, by the accountant that runs use."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import exp, log, sqrt
from typing import NamedTuple

from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.run.conditions import conditions_of
from fedmed.scheduling.accounting import Accounting, RenyiAccounting
from fedmed.server import Conditions
from fedmed.server.privacy import GaussianPrivacy

LOWEST, HIGHEST = 0.05, 100.0
"""Noise multipliers between which one is sought."""

PRECISION = 1e-3
"""Relative error of a noise multiplier, on the side of more noise."""


def spent_by(experiment: Experiment, noise: float, clients: int) -> float:
    """Epsilon that all rounds of a run spend with that noise multiplier, by the accountant of `privacy=gaussian`."""
    return _spent(noise, *_key(experiment, clients))


def _key(experiment: Experiment, clients: int) -> tuple[Conditions, int, int, int | None]:
    return conditions_of(experiment), experiment.rounds, clients, experiment.clients_per_round


def _spent(noise: float, conditions: Conditions, rounds: int, clients: int, per_round: int | None) -> float:
    assert isinstance(conditions.privacy, GaussianPrivacy)
    private = replace(conditions, privacy=replace(conditions.privacy, noise_multiplier=noise))
    found = private.spent(rounds, clients, per_round)
    assert found is not None
    return found.epsilon


def noise_for(epsilon: float, experiment: Experiment, clients: int, accounting: Accounting, where: str) -> float:
    """The noise multiplier with which all rounds of a run spend the epsilon at most.

    clients: of the run. where: names the demand in errors. Raises `UserError` where no noise up to 100 is enough, and
    under Rényi accounting for a run that draws some of its clients, whose losses it does not know.
    """
    if isinstance(accounting, RenyiAccounting):
        if experiment.clients_per_round not in (None, clients):
            fix = "Leave clients_per_round out, or set accounting: epsilon."
            raise refuse(where, "a run of all its hospitals, with accounting: renyi", "one that draws some", fix)
        return sqrt(experiment.rounds / (2 * accounting.amount(epsilon)))  # rho = T / (2 z^2)
    found = _solve(epsilon, *_key(experiment, clients))
    if isinstance(found, Unreachable):
        fix = "Ask for more, or train for fewer rounds."
        expected = f"an epsilon of {found.least:.3g} or more, for {experiment.rounds} rounds"
        raise refuse(where, expected, f"{epsilon:g}", fix)
    return found


class Unreachable(NamedTuple):
    """No noise is enough. least: the smallest epsilon that some is enough for."""

    least: float


@cache
def _solve(
    epsilon: float, conditions: Conditions, rounds: int, clients: int, per_round: int | None
) -> float | Unreachable:
    """The noise multiplier of an epsilon; kept, as the accountant of drawn clients takes half a second each time."""
    from scipy.optimize import root_scalar

    def excess(logarithm: float) -> float:
        return log(_spent(exp(logarithm), conditions, rounds, clients, per_round) / epsilon)

    if excess(log(LOWEST)) <= 0:
        return LOWEST
    if excess(log(HIGHEST)) > 0:
        return Unreachable(_spent(HIGHEST, conditions, rounds, clients, per_round))
    root = root_scalar(excess, bracket=(log(LOWEST), log(HIGHEST)), method="brentq", xtol=PRECISION / 2).root
    return exp(float(root) + PRECISION)
