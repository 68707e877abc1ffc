"""Client-level privacy: clipping and noise by hand, what is refused, and the privacy that is spent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, sqrt
from typing import Any

import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from fedmed.compression import TopkCompression
from fedmed.errors import UserError
from fedmed.method import Client, Method, Payload, Server, chain
from fedmed.server import (
    AvailabilitySampling,
    BySizeSampling,
    Conditions,
    DropoutFailures,
    GaussianPrivacy,
    MomentumServerOptimizer,
    UniformSampling,
)
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.moon import Moon
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, Ended, classifier, federate, initial, same, strategy_of

dp_accounting = pytest.importorskip("dp_accounting", reason="the extra fedmed-sim[dp] is not installed")
rdp = pytest.importorskip("dp_accounting.rdp")

TOY = replace(TOYS["multiclass"], make=lambda: classifier(3, norm=False)).with_train(0, lambda held: held[:5])
WEIGHTS = frozenset(name for name, _ in TOY.net().named_parameters())
PLAN = GaussianPrivacy(clip_norm=0.05, noise_multiplier=0.5)


def private(privacy: GaussianPrivacy = PLAN, method: Any = None, **rest: Any) -> Ended:
    conditions = Conditions(privacy=privacy, **rest.pop("conditions", {}))
    return federate(TOY, method or FedAvg(), conditions=conditions, parameters=WEIGHTS, **rest)


def sent(ended: Ended) -> list[dict[str, torch.Tensor]]:
    return [tensors for way, name, tensors in ended.grid.recorded if (way, name) == ("up", "arrays")]  # type: ignore[attr-defined]


def test_an_update_is_clipped_as_a_whole() -> None:
    old = {"w": torch.ones(2), "b": torch.zeros(1)}
    # update (3, 0), (4): length 5, clipped to 2.5
    clipped = GaussianPrivacy(clip_norm=2.5).clip({"w": torch.tensor([4.0, 1.0]), "b": torch.tensor([4.0])}, old)
    assert {name: tensor.tolist() for name, tensor in clipped.items()} == {"w": [2.5, 1], "b": [2]}
    short = GaussianPrivacy(clip_norm=6).clip({"w": torch.tensor([4.0, 1.0]), "b": torch.tensor([4.0])}, old)
    assert {name: tensor.tolist() for name, tensor in short.items()} == {"w": [4, 1], "b": [4]}
    assert same(GaussianPrivacy().clip(old, old), old)


def test_noise_is_as_wide_as_it_should_be_and_seeded() -> None:
    zeros = {"w": torch.zeros(100, 300), "b": torch.zeros(30_000)}
    plan = GaussianPrivacy(clip_norm=3.0, noise_multiplier=2.0)
    blurred = plan.blur(zeros, 4, seed=0, round=1)
    for tensor in blurred.values():
        assert abs(tensor.std() - 1.5) < 0.02
        assert abs(tensor.mean()) < 0.03
    assert not torch.equal(blurred["w"].reshape(-1), blurred["b"])
    assert same(blurred, plan.blur(zeros, 4, seed=0, round=1))
    assert not same(blurred, plan.blur(zeros, 4, seed=0, round=2))
    assert not same(blurred, plan.blur(zeros, 4, seed=1, round=1))


def test_new_weights_are_the_old_ones_plus_the_mean_of_clipped_updates_plus_noise() -> None:
    ended, old = private(rounds=1), initial(TOY, FedAvg())
    clipped = [PLAN.clip(weights, old) for weights in sent(ended)]
    assert any(not same(c, w) for c, w in zip(clipped, sent(ended), strict=True)), "the test needs clipping"
    mean = {name: sum(c[name] for c in clipped) / 3 for name in old}
    wanted = PLAN.blur(mean, 3, seed=0, round=1)
    for name, tensor in ended.shared.items():
        torch.testing.assert_close(tensor, wanted[name], atol=1e-6, rtol=1e-5)


def test_who_does_not_answer_counts_as_one_without_change() -> None:
    failures = DropoutFailures(rate=0.5)
    ended, old = private(rounds=1, seed=3, conditions={"failures": failures}), initial(TOY, FedAvg())
    assert 0 < len(ended.results[0].clients) < 3, "the test needs some to drop out"
    sums = {name: sum(PLAN.clip(weights, old)[name] - old[name] for weights in sent(ended)) for name in old}
    wanted = PLAN.blur({name: old[name] + sums[name] / 3 for name in old}, 3, seed=3, round=1)
    for name, tensor in ended.shared.items():
        torch.testing.assert_close(tensor, wanted[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("rounds", [1, 20])
@pytest.mark.parametrize("multiplier", [1.0, 4.0])
def test_epsilon_bounds_that_of_the_exact_gaussian_mechanism(rounds: int, multiplier: float) -> None:
    """Balle & Wang: Improving the Gaussian Mechanism. ICML 2018, theorem 8; T rounds are one with noise z / sqrt(T)."""
    noise, delta = multiplier / sqrt(rounds), 1e-5

    def excess(epsilon: float) -> float:
        a, b = 1 / (2 * noise), epsilon * noise
        return float(norm.cdf(a - b) - exp(epsilon) * norm.cdf(-a - b) - delta)

    exact = brentq(excess, 0, 200)
    found = GaussianPrivacy(noise_multiplier=multiplier, delta=delta).spent(rounds, clients=9, per_round=9)
    assert found.delta == delta
    assert exact <= found.epsilon <= 1.25 * exact


def test_a_sample_hides_more_and_counts_replacement() -> None:
    plan = GaussianPrivacy(noise_multiplier=2.0)
    few, many = (plan.spent(50, clients=1000, per_round=n).epsilon for n in (10, 100))
    assert few < many < plan.spent(50, clients=1000, per_round=1000).epsilon
    assert Conditions(privacy=plan).spent(50, 1000, 10) == plan.spent(50, clients=1000, per_round=10)
    seen = Conditions(privacy=plan, sampling=AvailabilitySampling())
    assert (
        seen.spent(50, 1000, 10)
        == plan.spent(50, clients=1000, per_round=None)
        == plan.spent(50, clients=5, per_round=5)
    )


def test_in_place_of_another_a_sum_moves_twice_as_far() -> None:
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    half = dp_accounting.GaussianDpEvent(3.0)
    accountant.compose(dp_accounting.SampledWithoutReplacementDpEvent(1000, 10, half), 50)
    found = GaussianPrivacy(noise_multiplier=6.0).spent(50, clients=1000, per_round=10)
    assert found.epsilon == pytest.approx(accountant.get_epsilon(1e-5))


def test_epsilon_grows_by_the_round_and_goes_on_after_a_stop() -> None:
    whole = private(rounds=4, method=FedProx(), clients_per_round=2)
    spent = [result.spent.epsilon for result in whole.results if result.spent]
    assert spent == sorted(set(spent))
    assert len(spent) == 4
    half = private(rounds=2, method=FedProx(), clients_per_round=2)
    options: dict[str, Any] = {"shared": half.shared, "grid": half.grid, "progress": half.progress}
    rest = private(rounds=4, method=FedProx(), clients_per_round=2, **options)
    assert same(rest.shared, whole.shared)
    assert [result.spent for result in rest.results] == [result.spent for result in whole.results[2:]]


def test_it_goes_with_compression_and_a_server_optimizer() -> None:
    training = replace(TRAINING, compression=TopkCompression(fraction=0.2))
    conditions = {"compression": TopkCompression(fraction=0.2)}
    ended = private(training=training, conditions=conditions, optimizer=MomentumServerOptimizer())
    assert not same(ended.shared, private().shared)


@dataclass(frozen=True, kw_only=True)
class Reads(Method):
    """Hands on the clients' losses."""

    def combine(self, server: Server, reports: Any) -> Payload:
        return {"loss": torch.tensor([report.loss for report in reports])}


@dataclass(frozen=True, kw_only=True)
class Counts(Method):
    """Sends how many images it has."""

    def report(self, client: Client) -> Payload:
        return {"images": torch.tensor(len(client.train))}


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (Scaffold(), "scaffold, which weighs clients itself"),
        (chain(FedProx(), Reads()), "test_privacy, which hands on what clients report"),
    ],
)
def test_methods_that_it_cannot_cover_are_refused_by_name(method: Any, why: str) -> None:
    with pytest.raises(UserError, match=f"privacy=gaussian: expected methods that it covers, got {why}"):
        strategy_of(method, conditions=Conditions(privacy=PLAN))


def test_a_method_that_sends_more_than_its_weights_is_refused_when_it_does() -> None:
    with pytest.raises(UserError, match="got test_privacy, which sends more than its weights"):
        private(method=chain(FedProx(), Counts()))
    assert private(method=Moon()).results[1].spent, "it reports nothing"


def test_sampling_by_what_clients_hold_is_refused() -> None:
    with pytest.raises(UserError, match="sampling=by_size"):
        strategy_of(FedAvg(), conditions=Conditions(privacy=PLAN, sampling=BySizeSampling()))
    assert list(Conditions(privacy=PLAN, sampling=UniformSampling()).faults(chain(FedProx(), FedBN()))) == []


def test_running_statistics_are_refused_unless_they_stay_at_the_clients() -> None:
    toy, options = TOYS["multiclass"], {"conditions": Conditions(privacy=PLAN), "rounds": 1}
    names = frozenset(name for name, _ in toy.net().named_parameters())
    with pytest.raises(UserError, match="running statistics, counters or"):
        federate(toy, FedAvg(), parameters=names, **options)
    assert federate(toy, FedBN(), parameters=names, **options).results[0].spent


def test_a_missing_accountant_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)
    (fault,) = PLAN.faults(chain(FedAvg()))
    assert "pip install 'fedmed-sim[dp]'" in fault.fix
