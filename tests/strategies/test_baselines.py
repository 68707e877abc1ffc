"""Baselines that are a hook or two: each against its equation, on numbers small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.method import Method, Report, Server, chain
from fedmed.models.net import fixed
from fedmed.server import Aggregation, AverageServerOptimizer, ModelGroup, SplitAggregation
from fedmed.strategies.apfl import APFL
from fedmed.strategies.coordinate_median import CoordinateMedian
from fedmed.strategies.ditto import Ditto
from fedmed.strategies.fedamp import FedAMP
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbabu import FedBABU
from fedmed.strategies.feddyn import FedDyn
from fedmed.strategies.fednova import FedNova
from fedmed.strategies.fedrod import FedRoD
from tests.toys import TOYS, TRAINING, federate, job_of, net_of, same, trainer_of

TOY = TOYS["multiclass"]
NAMES = frozenset({"w"})


Reply = tuple[Report, dict[str, dict[str, Tensor]]]


def sent(client: int, *values: float, examples: int = 1, **payload: float) -> Reply:
    """A client's reply: weights w, and what its method reports."""
    weights = {"w": torch.tensor([float(value) for value in values])}
    report = Report(client=client, examples=examples, loss=0.0, payload={}, weights=weights)
    return report, {"x": {n: torch.tensor(v, dtype=torch.float64) for n, v in payload.items()}}


def after(
    method: Method, old: Sequence[float], replies: Sequence[Reply], *, clients: int, state: dict[str, Any] | None = None
) -> Tensor:
    """The weights w after a round."""
    server = Server(
        round=1,
        rounds=1,
        seed=0,
        clients=tuple(range(clients)),
        shared={"w": torch.tensor(old)},
        state={} if state is None else state,
        parameters=NAMES,
    )
    going = Aggregation(chain(method), server, AverageServerOptimizer(), NAMES)
    name = str(chain(method))
    for report, payloads in replies:
        going.add(report, {name: payloads["x"]})
    return going.finish()[0]["w"]


def test_feddyn_steps_beyond_the_mean_by_what_clients_have_drifted() -> None:
    state: dict[str, Any] = {}
    new = after(FedDyn(alpha=0.5), [1.0], [sent(0, 3.0, examples=9), sent(1, 1.0)], clients=4, state=state)
    # mean 2 (alike); h = -0.5 * 2/4 * (2 - 1) = -0.25; w = 2 + 0.25 / 0.5
    assert new.item() == 2.5
    assert state["feddyn"]["w"].item() == -0.25
    again = after(FedDyn(alpha=0.5), [2.5], [sent(0, 2.5)], clients=4, state=state)
    assert again.item() == 3.0


def test_feddyn_keeps_a_gradient_at_each_client_and_bends_by_it() -> None:
    ended = federate(TOY, FedDyn(alpha=0.2), rounds=2)
    own = ended.memory(1)["feddyn"]["h"]
    assert own.keys() == {name for name, _ in TOY.net().named_parameters()}
    assert not same(ended.shared, federate(TOY, FedAvg(), rounds=2).shared)
    one, plain = (
        federate(TOY, m, rounds=1, training=replace(TRAINING, steps=1)) for m in (FedDyn(alpha=0.2), FedAvg())
    )
    # after one step from the shared weights nothing has pulled yet; the server's h is what differs
    up = [[t for way, name, t in e.grid.heard if (way, name) == ("up", "arrays")] for e in (one, plain)]
    assert all(same(a, b) for a, b in zip(*up, strict=True))


def test_fednova_undoes_that_some_take_more_steps() -> None:
    replies = [sent(0, 4.0, examples=1, steps=4.0), sent(1, 1.0, examples=3, steps=1.0)]
    new = after(FedNova(), [0.0], replies, clients=2)
    # steps that count: 1/4 * 4 + 3/4 * 1 = 1.75; direction 1/4 * 4/4 + 3/4 * 1/1 = 1
    assert new.item() == pytest.approx(1.75)
    equal = [sent(0, 4.0, examples=1, steps=2.0), sent(1, 1.0, examples=3, steps=2.0)]
    assert after(FedNova(), [0.0], equal, clients=2).item() == pytest.approx(1.75)  # the mean: (4 + 3) / 4


def test_fedamp_mixes_the_nearer_the_more() -> None:
    groups = [ModelGroup(clients=(k,), shared={"w": torch.zeros(1)}) for k in range(4)]
    server = Server(round=1, rounds=1, seed=0, clients=(0, 1, 2, 3), shared={}, state={}, parameters=NAMES)
    going = SplitAggregation(chain(FedAMP(alpha=0.5)), server, AverageServerOptimizer(), NAMES, groups=groups)
    for k, value in enumerate((0.0, 0.5, 10.0)):
        going.add(*sent(k, value, examples=k + 1))
    found = {group.clients: group.shared["w"].item() for group in going.finish()[1]}
    near = 0.5 * 2.718281828**-0.25
    assert found == {
        (0,): pytest.approx(near * 0.5),
        (1,): pytest.approx(0.5 - near * 0.5),
        (2,): pytest.approx(10.0),
        (3,): 0.0,  # it did not answer
    }


def test_the_median_is_moved_by_no_outlier_and_counts_stay_whole() -> None:
    assert after(
        CoordinateMedian(), [0.0, 0.0], [sent(0, 1, 9), sent(1, 2, 8), sent(2, 1e6, -1e6)], clients=3
    ).tolist() == [2, 8]
    assert after(CoordinateMedian(), [0.0], [sent(0, 1), sent(1, 4), sent(2, 2), sent(3, 9)], clients=4).item() == 3
    ended = federate(TOY, CoordinateMedian())
    assert ended.shared["features.norm.num_batches_tracked"].dtype == torch.int64


def test_fedbabu_never_trains_nor_sends_the_head() -> None:
    ended = federate(TOY, FedBABU(), rounds=2)
    assert fixed(net_of(TOY, FedBABU())) == {"head.weight", "head.bias"}
    assert not [name for name in ended.shared if name.startswith("head")]


def test_ditto_is_fedavg_with_a_model_beside_it_that_starts_alike() -> None:
    ended, plain = federate(TOY, Ditto(), rounds=3), federate(TOY, FedAvg(), rounds=3)
    assert same(ended.shared, plain.shared)
    own, apart = ended.memory(0)["@local"], federate(TOY, Ditto(strength=0.0), rounds=3).memory(0)["@local"]
    alone = federate(TOY, FedAvg(local=("*",)), rounds=3).memory(0)["@local"]
    assert {n.removeprefix("personal."): t for n, t in apart.items()}.keys() == alone.keys()
    assert all(torch.equal(apart[f"personal.{name}"], tensor) for name, tensor in alone.items())
    far, near = (sum((m[f"personal.{n}"] - t).square().sum() for n, t in ended.shared.items()) for m in (apart, own))
    assert near < far


def test_fedrod_trains_one_head_for_balanced_classes_and_adds_one_where_a_client_predicts() -> None:
    ended = federate(TOY, FedRoD(), rounds=3)
    assert {name for name in ended.shared if name.startswith("head")} == {"head.generic.weight", "head.generic.bias"}
    trainer = trainer_of(TOY, FedRoD())
    client, x = trainer.receive(job_of(trainer)), TOY.shares[0].test.x
    generic, first = (FedRoD().predict(trainer.net, x, scope, client) for scope in ("test", "client"))
    assert torch.equal(generic, first), "the personal head starts at 0"
    own: Mapping[str, Tensor] = ended.memory(0)["@local"]
    assert own["head.personal.weight"].abs().sum() > 0


def test_apfl_mixes_weights_and_learns_how_much_of_its_own() -> None:
    ended, plain = federate(TOY, APFL(), rounds=3), federate(TOY, FedAvg(), rounds=3)
    assert same(ended.shared, plain.shared)
    shares = [float(ended.memory(client)["@local"]["share"]) for client in range(3)]
    assert all(0 < share < 1 and share != 0.5 for share in shares)
    trainer = trainer_of(TOY, APFL(share=1.0))
    with torch.no_grad():
        for weight in trainer.net.get_submodule("personal").parameters():
            weight.mul_(2)
    x = TOY.shares[0].test.x
    trainer.net.eval()
    own = trainer.net.get_submodule("personal")
    assert torch.equal(APFL().predict(trainer.net, x, "client", None), own(x))


def test_fedbabu_learns_though_its_head_does_not() -> None:
    ended = federate(TOY, FedBABU(), rounds=20, by_clients=True, due=lambda round: round in (1, 20))
    first, last = (sum(row["test.loss"] for row in ended.results[r].evaluated) for r in (0, 19))
    assert last < 0.8 * first
