"""Gains by a hypernetwork: FedEgoists trains a generated head beside the net and asks clients for their rays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from fedmed.method import Setup, chain
from fedmed.models.net import Net
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedegoists import FedEgoists
from tests.strategies.phn_toys import exchanged
from tests.toys import TOYS, TRAINING, federate, net_of, same


def by_hypernet(**fields: Any) -> FedEgoists:
    return FedEgoists(benefit="hypernet", start="together", **fields)


def test_two_opposite_groups_give_exactly_two_cliques() -> None:
    method = by_hypernet(warmup=12, threshold=0.05, groups=("0+1+2", "3+4+5"))
    ended = federate(exchanged(6), method, rounds=13)
    found = ended.progress.state["fedegoists"]
    one, none = torch.ones(3, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool)
    inside = torch.cat([torch.cat([one, none], 1), torch.cat([none, one], 1)])
    assert torch.equal(found["edges"], inside & ~torch.eye(6, dtype=torch.bool)), found["benefit"]
    assert found["partition"].tolist() == [0, 0, 0, 3, 3, 3]
    assert (found["formed"], found["audit"]["rand"]) == (13, 1)


def test_the_net_beside_which_it_is_measured_has_the_bits_of_fedavg() -> None:
    toy = exchanged(2)
    plain = federate(toy, FedAvg(), rounds=3).shared
    beside = federate(toy, by_hypernet(warmup=3), rounds=3).shared
    assert same({name: tensor for name, tensor in beside.items() if not name.startswith("hypernet.")}, dict(plain))
    begun = net_of(toy, by_hypernet()).state_dict()
    assert all(not torch.equal(beside[name], begun[name]) for name in beside if name.startswith("hypernet."))


def test_after_coalitions_are_formed_nobody_trains_it_and_a_used_net_lacks_it() -> None:
    toy, method = exchanged(2), by_hypernet(warmup=2, threshold=0.0)
    formed, later = (federate(toy, method, rounds=rounds) for rounds in (3, 5))
    for before, after in zip(formed.progress.groups, later.progress.groups, strict=True):
        kept = [name for name in before.shared if torch.equal(before.shared[name], after.shared[name])]
        assert sorted(kept) == sorted(name for name in before.shared if name.startswith("hypernet."))
    used = chain(method).adjust(net_of(toy, method), None, {})
    assert same(dict(used.state_dict()), dict(toy.net().state_dict()))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"start": "alone"}, "strategy.start: expected together for benefit=hypernet, as one model is trained by all"),
        ({"reform": 3}, "strategy.reform: expected 0 for benefit=hypernet, got 3"),
        ({}, "model.head: expected at most 100000 weights to generate, got 120060"),
    ],
)
def test_where_it_cannot_be_measured_it_is_refused(fields: Any, says: str) -> None:
    net = Net(nn.Flatten(), nn.Linear(2000, 60))
    setup = Setup(task=TOYS["multiclass"].task, net=net, optimizer=TRAINING.optimizer, rounds=9, clients=3)
    faults = chain(FedEgoists(**{"benefit": "hypernet", "start": "together"} | fields)).check(setup)
    assert [str(fault) for fault in faults if says in str(fault)], [*map(str, faults)]


def test_validation_images_are_needed_and_rays_are_of_the_clients() -> None:
    assert chain(by_hypernet()).needs_val
    assert "build" not in by_hypernet().idle
    assert {"build", "penalty", "adjust"} <= FedEgoists().idle
