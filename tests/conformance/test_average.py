"""Another mean than the engine's, and batches that methods change before they go into the net."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.client.batched import obstacle
from fedmed.engine.pool import PoolEngine
from fedmed.errors import UserError
from fedmed.method import Client, Method, Payload, Report, Server, average_of, chain
from fedmed.server import Conditions, GaussianPrivacy
from tests.conformance.cases import Case
from tests.toys import TOYS, federate, grid_of, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Same(Method):
    """The engine's mean, by way of the hook."""

    def average(self, server: Server, reports: Sequence[Report], weights: Tensor) -> Payload:
        return average_of(reports, weights)


@dataclass(frozen=True, kw_only=True)
class First(Method):
    """The model of the first client that answers, whatever its counters are."""

    def average(self, server: Server, reports: Sequence[Report], weights: Tensor) -> Payload:
        return {name: tensor * 1 for name, tensor in reports[0].weights.items()}


@dataclass(frozen=True, kw_only=True)
class Brighter(Method):
    """Training images a little brighter, and one label in four another."""

    def transform(
        self, client: Client, x: Tensor, y: Tensor, seen: Tensor | None, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return x + 0.5 * torch.rand(len(x), 1, 1, 1, generator=client.rng), y, seen


@dataclass(frozen=True, kw_only=True)
class Untouched(Method):
    """Every batch as it is."""

    def transform(
        self, client: Client, x: Tensor, y: Tensor, seen: Tensor | None, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return x, y, seen


def test_the_engines_mean_by_way_of_the_hook_changes_no_bit(home: Case, method: Method) -> None:
    if chain(method).has("average"):
        pytest.skip("it has a mean of its own")
    one, other = (federate(home.toy, m, rounds=3, clients_per_round=2) for m in (method, chain(Same(), method)))
    assert same(one.shared, other.shared)
    assert same(one.progress.inbox, other.progress.inbox)


def test_another_mean_is_what_the_update_and_the_next_round_get() -> None:
    ended = federate(TOY, First())
    own = [tensors for way, name, tensors in ended.grid.recorded if (way, name) == ("up", "arrays")]
    assert torch.equal(ended.shared["head.bias"], own[3]["head.bias"])
    counters = torch.stack([tensors["features.norm.num_batches_tracked"] for tensors in own[3:]])
    assert ended.shared["features.norm.num_batches_tracked"] == counters.max()


def test_what_is_no_average_is_refused_and_so_is_privacy() -> None:
    class Few(Method):
        def average(self, server: Server, reports: Sequence[Report], weights: Tensor) -> Payload:
            return {"head.bias": reports[0].weights["head.bias"]}

    with pytest.raises(UserError, match=r"average, round 1: expected new weights with all"):
        federate(TOY, Few())
    with pytest.raises(UserError, match=r"privacy=gaussian: .*, which averages clients in a way of its own"):
        federate(TOY, Same(), conditions=Conditions(privacy=GaussianPrivacy()))


def test_update_sees_the_reports_and_which_entries_are_trained() -> None:
    seen: list[Any] = []

    class Looks(Method):
        keeps_weights = True

        def report(self, client: Client) -> Payload:
            return {"id": torch.tensor(client.id)}

        def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
            seen.append([(int(r.payload["id"]), r.weights.keys() == mean.keys()) for r in server.reports])
            assert mean.keys() - server.parameters == {n for n in mean if "running" in n or "tracked" in n}
            return mean

    trained = frozenset(name for name, _ in TOY.net().named_parameters())
    federate(TOY, Looks(), parameters=trained, clients_per_round=2, rounds=1)
    assert len(seen[0]) == 2
    assert all(held for _, held in seen[0])


def test_a_batch_that_is_not_changed_changes_no_bit(case: Case, method: Method) -> None:
    assert same(federate(case.toy, method).shared, federate(case.toy, chain(Untouched(), method)).shared)


def test_changed_batches_are_what_trains_on_every_engine(home: Case, method: Method) -> None:
    both = chain(Brighter(), method)
    one, plain = federate(home.toy, both), federate(home.toy, method)
    assert not same(one.shared, plain.shared)
    with PoolEngine(workers=2).grid(trainer_of(home.toy, both), 3) as pool:
        assert same(federate(home.toy, both, grid=pool).shared, one.shared)


def test_changed_batches_keep_a_cohort_from_training_in_lock_step() -> None:
    assert "transform" in str(obstacle(trainer_of(TOY, Brighter())))


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (lambda x, y, seen: x, "Tensor"),
        (lambda x, y, seen: (x[:1], y, seen), r"\(1, 1, 8, 8\)"),
        (lambda x, y, seen: (x.double(), y, seen), "float64"),
        (lambda x, y, seen: (x, y, 3), "3"),
    ],
    ids=["images alone", "fewer", "another dtype", "no mask"],
)
def test_what_is_no_batch_is_refused(given: Any, got: str) -> None:
    class Wrong(Method):
        def transform(self, client: Client, x: Tensor, y: Tensor, seen: Tensor | None, index: Tensor) -> Any:
            return given(x, y, seen)

    with pytest.raises(UserError, match=rf"test_average.transform: expected images .*, got .*{got}"):
        federate(TOY, Wrong(), grid=grid_of(TOY, Wrong()))
