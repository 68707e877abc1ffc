from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fedmed.errors import UserError
from fedmed.method import Method, Payload, Report, Server, chain
from fedmed.server import Aggregation, AverageServerOptimizer, sample


def test_all_clients_take_part_unless_fewer_are_asked() -> None:
    assert sample([2, 0, 1], None, seed=0, round=1) == [0, 1, 2]
    assert sample([2, 0, 1], 3, seed=0, round=1) == [0, 1, 2]
    assert sample([2, 0, 1], 9, seed=0, round=1) == [0, 1, 2]


def test_a_sample_is_sorted_seeded_and_another_every_round() -> None:
    rounds = [sample(range(20), 6, seed=0, round=r) for r in range(1, 30)]
    assert all(drawn == sorted(set(drawn)) and len(drawn) == 6 for drawn in rounds)
    assert rounds == [sample(range(20), 6, seed=0, round=r) for r in range(1, 30)]
    assert len({tuple(drawn) for drawn in rounds}) > 25
    assert sample(range(20), 6, seed=1, round=1) != rounds[0]


def test_every_client_is_as_likely() -> None:
    counts = torch.zeros(5)
    for r in range(2000):
        counts[sample(range(5), 2, seed=0, round=r)] += 1
    assert (counts / 2000 - 0.4).abs().max() < 0.04


def test_the_server_steps_towards_the_mean_parameters_only() -> None:
    old = {"w": torch.zeros(1), "running_mean": torch.zeros(1), "steps": torch.tensor(1)}
    mean = {"w": torch.ones(1), "running_mean": torch.ones(1), "steps": torch.tensor(7)}
    new = AverageServerOptimizer(lr=0.25).step(old, mean, frozenset({"w"}), {})
    assert {name: tensor.item() for name, tensor in new.items()} == {"w": 0.25, "running_mean": 1, "steps": 7}
    assert AverageServerOptimizer().step(old, mean, frozenset({"w"}), {}) == mean


@dataclass(frozen=True, kw_only=True)
class First(Method):
    """Only the first client counts."""

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        assert all(report.weights for report in reports)
        return torch.tensor([2.0] + [0.0] * (len(reports) - 1), dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Sees(Method):
    """Says what update and combine saw."""

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        server.state["order"] = "update"
        return {name: old[name] - mean[name] for name in mean}

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        with pytest.raises(UserError, match=r"Report.weights: expected a method that .* keeps_weights"):
            _ = reports[0].weights["w"]
        server.state["order"] += " combine"
        return {"sum": sum(report.payload["p"] for report in reports)}


def test_reports_are_averaged_by_training_images() -> None:
    shared, inbox = _aggregate(Method())[:2]
    assert shared["w"].item() == (1 * 1 + 3 * 2) / 4
    assert inbox == {}


def test_a_method_that_weighs_gets_the_models_and_decides() -> None:
    assert _aggregate(First())[0]["w"].item() == 1


def test_update_comes_before_combine_and_each_member_sees_its_own_payload() -> None:
    shared, inbox, state = _aggregate(Sees())
    assert shared["w"].item() == 10 - 7 / 4
    assert inbox["test_aggregation"]["sum"].item() == 30
    assert state == {"test_aggregation": {"order": "update combine"}}


def _aggregate(method: Method) -> tuple[Payload, dict[str, Payload], dict[str, object]]:
    """Two clients' replies whose tensors are lent: they are overwritten by the next client."""
    state: dict[str, object] = {}
    server = Server(round=1, rounds=1, seed=0, clients=(0, 1), shared={"w": torch.full((1,), 10.0)}, state=state)
    aggregation = Aggregation(chain(method), server, AverageServerOptimizer(), frozenset({"w"}))
    resident, payload = torch.zeros(1), torch.zeros(1)
    for client, examples in enumerate((1, 3)):
        resident.fill_(client + 1), payload.fill_(10 * (client + 1))
        report = Report(client=client, examples=examples, loss=0.0, payload={}, weights={"w": resident})
        aggregation.add(report, {"test_aggregation": {"p": payload}})
    return (*aggregation.finish(), state)
