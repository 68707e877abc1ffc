"""Baselines that are a hook or two: each against its equation, on numbers small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed import rng
from fedmed.data.examples import Examples
from fedmed.errors import UserError
from fedmed.inference.trained_net import merged
from fedmed.method import Method, Report, Server, Setup, chain
from fedmed.models.net import fixed
from fedmed.server import Aggregation, AverageServerOptimizer, ModelGroup, SplitAggregation
from fedmed.strategies._federated_features import Descent, class_gradients, distance, matched
from fedmed.strategies.apfl import APFL
from fedmed.strategies.coordinate_median import CoordinateMedian
from fedmed.strategies.creff import CReFF
from fedmed.strategies.ditto import Ditto
from fedmed.strategies.fedamp import FedAMP
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbabu import FedBABU
from fedmed.strategies.feddyn import FedDyn
from fedmed.strategies.fednova import FedNova
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.fedrod import FedRoD
from tests.toys import TOYS, TRAINING, Held, Toy, federate, job_of, multiclass, net_of, same, trainer_of

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
    up = [[t for way, name, t in e.grid.recorded if (way, name) == ("up", "arrays")] for e in (one, plain)]
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


CREFF = CReFF(features=10, match_steps=20, retrain_steps=100)


def rare(clients: int = 3) -> Toy:
    """Noisy images, of which clients hold many of class 0, two of class 1 and one of class 2; tests are balanced."""
    noise = torch.Generator().manual_seed(0)

    def noisy(held: Examples) -> Examples:
        return replace(held, x=held.x + 2 * torch.rand(held.x.shape, generator=noise))

    def few(held: Examples) -> Examples:
        rows = [(held.y == c).nonzero()[:n, 0] for c, n in enumerate((20, 2, 1))]
        return held[torch.cat(rows)]

    images = [(multiclass(60, seed), multiclass(60, seed + 1)) for seed in range(0, 10 * clients, 10)]
    shares = tuple(Held(noisy(few(train)), test, noisy(test)) for train, test in images)
    return replace(TOY, shares=shares)


def recall(toy: Toy, method: Method) -> float:
    """Mean recall over classes, of the global model after five rounds."""
    net = net_of(toy, method)
    net.load_state_dict(federate(toy, method, rounds=5).shared)
    x, y = (torch.cat([getattr(share.test, name) for share in toy.shares]) for name in "xy")
    with torch.no_grad():
        found = chain(method).predict(net.eval(), x, "test", None).argmax(1)
    return sum((found[y == c] == c).double().mean().item() for c in range(3)) / 3


def test_creff_is_fedavg_under_a_head_that_finds_rare_classes() -> None:
    toy = rare()
    ended, plain = (federate(toy, method, rounds=3) for method in (CREFF, FedAvg()))
    mean = {n.replace("averaged.", ""): t for n, t in ended.shared.items() if "retrained" not in n}
    assert same(mean, plain.shared), "the retrained head reaches into training"
    assert recall(toy, CREFF) > recall(toy, FedAvg()) + 0.05


def test_creff_moves_features_until_the_heads_gradients_point_where_the_clients_do() -> None:
    g = torch.Generator().manual_seed(0)
    head, classes = torch.nn.Linear(4, 3), torch.arange(3)
    weights = {name: weight.detach() for name, weight in head.named_parameters()}
    real = torch.randn(3, 6, 4, generator=g) + torch.eye(3, 4)[:, None]
    wanted = class_gradients(head, weights, real, classes)
    own = F.cross_entropy(head(real[1]), torch.ones(6, dtype=torch.int64))
    (slope,) = torch.autograd.grad(own, head.weight)
    assert torch.allclose(wanted["weight"][1], slope)
    assert distance(wanted, wanted).item() == pytest.approx(0, abs=1e-5)
    drawn = torch.randn(3, 5, 4, generator=g)
    moved = matched(head, weights, drawn, classes, wanted, Descent(50, 0.1))
    before, after = (float(distance(class_gradients(head, weights, z, classes), wanted)) for z in (drawn, moved))
    assert after < 0.5 * before


def test_creff_leaves_classes_that_nobody_holds_out_and_keeps_features_of_those_not_heard_this_round() -> None:
    toy = TOY
    for client in range(3):
        toy = toy.with_train(client, lambda held: held[held.y != 2])
    toy = toy.with_train(0, lambda held: held[held.y != 1])
    straight = federate(toy, CREFF, rounds=4, clients_per_round=1)
    memory = straight.progress.state["creff"]
    assert memory["seen"].tolist() == [True, True, False]
    drawn = torch.randn(3, 10, 64, generator=rng.generator(0, "server", "creff", 1))
    assert [torch.equal(*pair) for pair in zip(memory["features"], drawn, strict=True)] == [False, False, True]
    assert straight.shared["head.retrained.bias"][2] < straight.shared["head.averaged.bias"][2]


def test_creff_is_the_plain_net_again_where_it_is_exported() -> None:
    net = net_of(TOY, CREFF)
    net.load_state_dict(federate(TOY, CREFF).shared)
    x = TOY.shares[0].test.x
    wanted = CREFF.predict(net.eval(), x, "test", None)
    plain = merged(net)
    assert plain.state_dict().keys() == TOY.net().state_dict().keys()
    assert torch.equal(plain(x), wanted)


@pytest.mark.parametrize(
    ("method", "task", "got"),
    [
        (CREFF, "multilabel", "got multilabel"),
        (CREFF, "segmentation", "got segmentation"),
        (replace(CREFF, local=("@head",)), "multiclass", "got one that stays at the clients"),
    ],
)
def test_creff_is_for_classes_and_a_shared_head(method: Method, task: str, got: str) -> None:
    toy = TOYS[task]
    setup = Setup(task=toy.task, net=toy.net(), optimizer=TRAINING.optimizer, rounds=1, clients=3)
    (fault,) = chain(method).check(setup)
    assert got in str(fault)


def test_creff_needs_a_head_with_weights_and_refuses_a_member_that_keeps_it_at_the_clients() -> None:
    setup = Setup(task=TOY.task, net=TOY.net(), optimizer=TRAINING.optimizer, rounds=1, clients=3)
    setup.net.head = torch.nn.Identity()
    assert "got one without weights" in str(chain(CREFF).check(setup)[0])
    with pytest.raises(UserError, match="expected a head that clients share, got one that each keeps"):
        federate(TOY, chain(CREFF, FedPer()))
