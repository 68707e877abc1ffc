import math

import pytest
import torch
from torch import Tensor

from fedmed.client import Trainer
from fedmed.method import Batch, Client, Payload, Setup, chain
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.moon import Moon
from tests.toys import TOYS, federate, job_of, same, trainer_of

TOY = TOYS["multiclass"]
MU, TEMPERATURE = 2.0, 0.7


def test_the_penalty_is_the_contrast_of_equation_3() -> None:
    trainer = trainer_of(TOY, Moon(mu=MU, temperature=TEMPERATURE))
    context, batch, previous = _second_round(trainer)
    penalty = trainer.chain.members["moon"].penalty(context.member("moon"), batch)
    global_z = _features(context.anchor, batch.x)
    previous_z = _features(previous, batch.x)
    terms = []
    for z, near, far in zip(batch.features.tolist(), global_z.tolist(), previous_z.tolist(), strict=True):
        a, b = (math.exp(_cosine(z, other) / TEMPERATURE) for other in (near, far))
        terms.append(-math.log(a / (a + b)))
    assert penalty.item() == pytest.approx(MU * sum(terms) / len(terms), rel=1e-4)
    assert penalty.item() > 0


def test_the_gradient_flows_through_the_net_in_training_only() -> None:
    trainer = trainer_of(TOY, Moon(mu=MU))
    context, batch, _ = _second_round(trainer)
    trainer.chain.members["moon"].penalty(context.member("moon"), batch).backward()
    assert trainer.net.get_parameter("features.conv.weight").grad.abs().sum() > 0
    assert trainer.net.get_parameter("head.weight").grad is None
    assert all(p.grad is None for net in trainer._copies.nets for p in net.parameters())


def test_in_its_first_round_a_client_trains_as_under_fedavg() -> None:
    mine, plain = (federate(TOY, method, rounds=1) for method in (Moon(mu=5.0), FedAvg()))
    assert same(mine.shared, plain.shared)


def test_the_first_participation_counts_not_the_first_round() -> None:
    """A client that was not asked before has no previous model, whatever the round."""
    trainer, plain = trainer_of(TOY, Moon(mu=5.0)), trainer_of(TOY, FedAvg())
    mine = trainer.train(job_of(trainer, round=4)).weights
    assert same(dict(mine), dict(plain.train(job_of(plain, round=4)).weights))


def test_later_rounds_differ_from_fedavg() -> None:
    mine, plain = (federate(TOY, method, rounds=2) for method in (Moon(mu=5.0), FedAvg()))
    assert not same(mine.shared, plain.shared)


def test_the_previous_model_is_the_client_after_its_last_training() -> None:
    trainer = trainer_of(TOY, Moon())
    outcome = trainer.train(job_of(trainer))
    trained = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items()}
    trainer.train(job_of(trainer, client=1))
    assert same(outcome.state["moon"]["previous"], trained)


def test_without_weight_nothing_is_kept() -> None:
    assert federate(TOY, Moon(mu=0.0), rounds=1).memory(0) == {}


def test_segmentation_is_refused() -> None:
    toy = TOYS["segmentation"]
    setup = Setup(task=toy.task, net=toy.net(), optimizer=Optimizer(), rounds=1, clients=1)
    (fault,) = chain(Moon()).check(setup)
    assert "moon" in str(fault)
    assert fault.got == "segmentation"


def _second_round(trainer: Trainer) -> tuple[Client, Batch, Payload]:
    """A client's second round after one local step: its context, a batch, and its previous model's weights."""
    state = trainer.train(job_of(trainer)).state
    shared = {name: t + 0.1 if t.is_floating_point() else t for name, t in trainer.shared.items()}
    context = trainer.receive(job_of(trainer, round=2, shared=shared, state=state))
    trainer.chain.prepare(context)
    trainer.net.train().zero_grad()
    with torch.no_grad():
        for p in trainer.net.parameters():
            p.mul_(1.3)
    train = TOY.shares[0].train[:5]
    features = trainer.net.features(train.x)
    batch = Batch(train.x, train.y, None, torch.arange(5), features, trainer.net.head(features))
    return context, batch, state["moon"]["previous"]


def _features(weights: Payload, x: Tensor) -> Tensor:
    net = TOY.net().eval()
    net.load_state_dict(dict(weights))
    return net.features(x)


def _cosine(a: list[float], b: list[float]) -> float:
    return sum(i * j for i, j in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
