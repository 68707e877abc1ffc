"""PHN-HVVS in whole federations: losses at rays, what they count, and every client's own ray."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log
from typing import Any

import pytest
import torch
from torch import nn

from fedmed.errors import UserError
from fedmed.flower import ServerState
from fedmed.method import Setup, chain
from fedmed.models.net import Net
from fedmed.strategies import _pareto as pareto
from fedmed.strategies._rays import rays, sites
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.phn_hvvs import PHNHVVS
from tests.strategies.phn_toys import exchanged
from tests.toys import (
    TOYS,
    TRAINING,
    Ended,
    Toy,
    federate,
    initial,
    job_of,
    net_of,
    same,
    trainer_of,
)

TOY = TOYS["multiclass"]


def memory(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = ended.progress.state["phn_hvvs"]
    return found


@cache
def two(goal: str) -> Ended:
    """Two clients of opposite conventions after their rounds."""
    return federate(exchanged(2), PHNHVVS(goal=goal), rounds=25)  # type: ignore[arg-type]


@pytest.mark.parametrize(("goal", "sign"), [("linear", 1), ("hypervolume", -1)])
def test_a_ray_is_a_weight_in_weighted_sums_and_a_place_under_the_distance(goal: str, sign: int) -> None:
    found = memory(two(goal))
    order = found["rays"][:, 0].argsort()
    losses = found["losses"][order]
    assert (sign * losses[:, 0].diff() < 0).all(), "the first client's loss over its own entry of the ray"
    assert (sign * losses[:, 1].diff() > 0).all()


@pytest.mark.parametrize("goal", ["linear", "hypervolume"])
def test_clients_find_their_own_side_and_predict_with_it(goal: str) -> None:
    ended, toy = two(goal), exchanged(2)
    assert (memory(ended)["weights"].diagonal() > 0.8).all(), memory(ended)["weights"]
    trainer = trainer_of(toy, PHNHVVS(goal=goal))  # type: ignore[arg-type]
    trainer.load(ended.shared)
    for client in (0, 1):
        state = ended.memory(client)
        asked = trainer.receive(job_of(trainer, client, state=state))
        own = trainer.chain.predict(trainer.net.eval(), toy.shares[client].test.x, "client", asked).argmax(1)
        other = toy.shares[1 - client].test
        assert (own == toy.shares[client].test.y).double().mean() > 0.9
        crossed = trainer.chain.predict(trainer.net, other.x, "client", asked).argmax(1)
        assert (crossed == other.y).double().mean() < 0.4
        assert torch.equal(state["phn_hvvs"]["ray"], memory(ended)["reported"][str(client)]["ray"])


def test_the_rays_of_clients_tell_who_agrees_with_whom() -> None:
    found = memory(federate(exchanged(4), PHNHVVS(goal="linear", rays=6, search=30, search_lr=0.1), rounds=26))[
        "weights"
    ]
    groups = found.view(4, 2, 2).sum(2)
    assert (groups[:2, 0] > 0.8).all(), found
    assert (groups[2:, 1] > 0.8).all(), found


def test_clients_train_on_their_coefficient_of_every_ray_and_report_losses_of_what_they_received() -> None:
    method = PHNHVVS(rays=4, warmup=1)
    toy = exchanged(2)
    ended = federate(toy, method, rounds=1)
    known, found = memory(ended)["reported"], rays(2, 4, seed=0, round=1)
    net, own = net_of(toy, method), toy.shares[1].own_val
    assert own is not None
    head: Any = net.head
    with torch.no_grad():
        logits = head.logits(net.features(own.x), found)
        exact = [toy.task.loss(each, own.y, None).item() for each in logits]
        ray = known["1"]["ray"]
        at_ray = toy.task.loss(head.plain(ray)(net.features(own.x)), own.y, None).item()
        uniform = toy.task.loss(net(own.x), own.y, None).item()
    assert known["1"]["losses"].tolist() == pytest.approx(exact, rel=1e-5)
    assert known["1"]["personal"].tolist() == pytest.approx([uniform, at_ray], rel=1e-5)
    assert known["1"]["reference"].item() == pytest.approx(log(3) + 1)
    trainer = trainer_of(toy, method)
    client = trainer.receive(job_of(trainer, 1))
    trainer.chain.prepare(client)
    batch = trainer._batch(client, torch.arange(12), torch.Generator())
    weight = 1 / (found + 0.05)
    weight = weight / weight.sum(1, keepdim=True)
    logits = trainer.net.head.logits(batch.features, found)  # type: ignore[operator]
    each = torch.stack([toy.task.loss(logit, batch.y, None) for logit in logits])
    assert trainer.chain.loss(client, batch).item() == pytest.approx((weight[:, 1] * each).mean().item(), rel=1e-5)


def test_the_server_directs_by_hypervolume_and_distance_after_the_warm_up() -> None:
    method = PHNHVVS(rays=4, warmup=2)
    first, ended = (federate(exchanged(2), method, rounds=rounds) for rounds in (1, 2))
    assert not first.progress.inbox.get("phn_hvvs")
    found, losses = memory(ended), memory(ended)["losses"]
    assert torch.equal(losses, torch.stack([found["reported"][k]["losses"] for k in "01"], dim=1))
    ref = torch.full((2,), log(3) + 1, dtype=torch.float64)
    assert found["hypervolume"] == pytest.approx(pareto.hypervolume(losses, ref))
    grid = rays(2, 4, seed=0, round=2)
    expected = pareto.coefficients(losses, grid, pareto.moved(ref, losses), 0.5, torch.Generator())
    assert torch.equal(ended.progress.inbox["phn_hvvs"]["coefficients"], expected)
    assert found["front"].tolist() == [k in pareto.fronts(losses)[0] for k in range(4)]


def test_losses_may_count_relative_to_those_of_the_first_round() -> None:
    method = PHNHVVS(rays=4, warmup=1, scale="first")
    ended = federate(exchanged(2), method, rounds=1)
    found = memory(ended)
    assert found["losses"].mean(0).tolist() == pytest.approx([1, 1])
    raw = torch.stack([found["reported"][k]["losses"] for k in "01"], dim=1)
    assert found["first"].tolist() == pytest.approx(raw.mean(0).tolist())
    sent = ended.progress.inbox["phn_hvvs"]["coefficients"]
    assert torch.allclose(sent * found["first"], found["coefficients"])
    places = ended.progress.inbox["phn_hvvs"]["places"] / found["first"]
    assert torch.allclose(places, pareto.places(found["losses"], found["rays"]))


def test_a_loss_is_pushed_up_no_further_than_to_its_place() -> None:
    toy, method = exchanged(2), PHNHVVS(rays=2, warmup=1)
    trainer = trainer_of(toy, method)
    pushed = {"coefficients": torch.tensor([[-1.0, 0], [-1, 0]]), "places": torch.tensor([[0.1, 0], [9, 0]])}
    client = trainer.receive(job_of(trainer, 0, inbox={"phn_hvvs": pushed}))
    trainer.chain.prepare(client)
    batch = trainer._batch(client, torch.arange(12), torch.Generator())
    logits = trainer.net.head.logits(batch.features, rays(2, 2, seed=0, round=1))  # type: ignore[operator]
    first, second = (toy.task.loss(logit, batch.y, None).item() for logit in logits)
    assert first > 0.1
    assert trainer.chain.loss(client, batch).item() == pytest.approx((-0.1 - second) / 2, rel=1e-5)


def test_a_group_is_one_objective_and_who_is_in_none_is_one_alone() -> None:
    method = PHNHVVS(rays=4, groups=("2+0",), goal="linear")
    ended = federate(exchanged(4), method, rounds=1)
    found = memory(ended)
    assert found["losses"].shape == (4, 3)
    both = (found["reported"]["0"]["losses"] + found["reported"]["2"]["losses"]) / 2
    assert torch.allclose(found["losses"][:, 0], both)
    assert [method._objective(client) for client in range(4)] == [0, 1, 0, 2]


def test_while_a_client_has_not_answered_sums_are_weighted() -> None:
    method = PHNHVVS(rays=4, warmup=1)
    ended = federate(exchanged(4), method, rounds=3, clients_per_round=1)
    assert not ended.progress.inbox.get("phn_hvvs")
    assert len(memory(ended)["reported"]) < 4
    assert "losses" not in memory(ended)


def test_a_client_without_validation_images_looks_at_its_training_images() -> None:
    toy, method = exchanged(2), PHNHVVS(rays=4, goal="linear")
    none = replace(toy.shares[0], own_val=toy.shares[0].val[:0])
    bare = replace(toy, shares=(none, toy.shares[1]))
    as_own = replace(toy, shares=(replace(none, own_val=none.train), toy.shares[1]))
    found, expected = (memory(federate(each, method, rounds=1))["reported"] for each in (bare, as_own))
    assert same(found, expected)


def test_segmentation_has_its_convolution_generated() -> None:
    toy, method = TOYS["segmentation"], PHNHVVS(rays=4, warmup=1)
    net = net_of(toy, method)
    head: Any = net.head
    ray = sites(3, 4)[0]
    z = net.features(toy.shares[0].train.x[:2])
    plain = head.plain(torch.from_numpy(ray))
    assert isinstance(plain, nn.Conv2d)
    assert torch.allclose(plain(z), head.logits(z, torch.from_numpy(ray)[None])[0], atol=1e-6)
    ended = federate(toy, method, rounds=3)
    assert memory(ended)["coefficients"].shape == (4, 3)


def test_all_rays_begin_near_the_plain_head() -> None:
    plain, net = TOY.net(), net_of(TOY, PHNHVVS())
    x = TOY.shares[0].train.x
    head: Any = net.head
    with torch.no_grad():
        expected, corners = plain.eval()(x), head.logits(net.eval().features(x), torch.eye(3))
    assert (corners - expected).abs().max() < 0.5 * expected.std()
    assert torch.allclose(net(x), head.merged()(net.features(x)), atol=1e-6)


def dropping(toy: Toy) -> Toy:
    def make() -> Net:
        net = toy.make()
        return Net(net.features, nn.Sequential(nn.Dropout(0.5), net.head))

    return replace(toy, make=make)


def test_a_head_may_begin_with_dropout_and_another_method_may_be_beside() -> None:
    ended = federate(dropping(exchanged(2)), chain(PHNHVVS(rays=3, warmup=1), FedProx(mu=0.1)), rounds=2)
    assert "head.1.generator.4.weight" in ended.shared


def test_all_that_is_recorded_survives_a_checkpoint() -> None:
    ended = two("hypervolume")
    again = ServerState()
    again.restore(25, ended.progress.kept())
    assert same(again.kept(), ended.progress.kept())
    assert not same(ended.shared, initial(exchanged(2), PHNHVVS()))


def setup(clients: int = 3, rounds: int = 9, net: Net | None = None) -> Setup:
    return Setup(task=TOY.task, net=net or TOY.net(), optimizer=TRAINING.optimizer, rounds=rounds, clients=clients)


def headed(head: nn.Module) -> Net:
    return Net(nn.Flatten(), head)


@pytest.mark.parametrize(
    ("fields", "made", "says"),
    [
        ({}, setup(1), "strategy.groups: expected two objectives or more, got one of all clients"),
        ({"groups": ("0+1+2",)}, setup(), "expected two objectives or more"),
        ({"groups": ("0+7",)}, setup(), "strategy.groups: expected clients 0 to 2, got 7"),
        ({"warmup": 9}, setup(), "strategy.warmup: expected fewer than rounds=9, got 9"),
        (
            {},
            setup(net=headed(nn.Linear(2000, 60))),
            "model.head: expected at most 100000 weights to generate, got 120060",
        ),
        (
            {},
            setup(net=headed(nn.Conv2d(4, 3, 3))),
            "expected a linear layer, or a convolution of one pixel, got Conv2d",
        ),
        ({}, setup(net=headed(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)))), "got Sequential"),
    ],
)
def test_what_cannot_be_is_refused_before_training(fields: Any, made: Setup, says: str) -> None:
    faults = chain(PHNHVVS(**fields)).check(made)
    assert [str(fault) for fault in faults if says in str(fault)], [*map(str, faults)]


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match="groups of clients, each in one"):
        PHNHVVS(groups=("0+1", "1+2"))
    with pytest.raises(UserError, match=r"PHNHVVS\.rays"):
        PHNHVVS(rays=1)
    assert PHNHVVS(goal="linear", warmup=9).check(setup()) == []
    with pytest.warns(UserWarning, match="2 rays do not reach the corners of 3 objectives"):
        PHNHVVS(rays=2).check(setup())
