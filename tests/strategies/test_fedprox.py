from dataclasses import replace

import torch

from fedmed.method import chain
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.fedprox import FedProx
from tests.toys import TOYS, TRAINING, job_of, trainer_of

TOY = TOYS["multiclass"]
MU = 0.3


def test_the_gradient_is_that_of_the_proximal_objective() -> None:
    trainer = trainer_of(TOY, FedProx(mu=MU))
    session = trainer.receive(job_of(trainer))
    net, train = trainer.net, TOY.shares[0].train
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.linspace(-1, 1, p.numel()).reshape(p.shape))
    distance = sum((p - session.anchor[name]).square().sum() for name, p in net.named_parameters())
    objective = TOY.task.loss(net(train.x), train.y, None) + MU / 2 * distance
    wanted = torch.autograd.grad(objective, list(net.parameters()))
    TOY.task.loss(net(train.x), train.y, None).backward()
    plain = [p.grad.clone() for p in net.parameters()]
    trainer.chain.correct(session)
    for p, gradient, without in zip(net.parameters(), wanted, plain, strict=True):
        torch.testing.assert_close(p.grad, gradient)
        assert not torch.equal(p.grad, without)


def test_training_ends_nearer_to_the_shared_weights_the_larger_mu() -> None:
    distances = [_drift(FedProx(mu=mu)) for mu in (0.0, 0.5, 5.0)]
    assert distances[0] > distances[1] > distances[2] > 0


def test_a_local_part_is_not_held_back() -> None:
    held = chain(FedPer(local=("head.*", "features.norm.*", "features.conv.*")), FedProx(mu=5.0))
    free = FedPer(local=("head.*", "features.norm.*", "features.conv.*"))
    outcomes = []
    for method in (held, free):
        trainer = trainer_of(TOY, method)
        outcomes.append(trainer.train(job_of(trainer)).state["@local"])
    assert all(torch.equal(outcomes[0][name], outcomes[1][name]) for name in outcomes[0])


def test_frozen_parameters_are_left_alone() -> None:
    net = TOY.net()
    net.get_parameter("head.bias").requires_grad_(False)
    trainer = trainer_of(replace(TOY, make=lambda: net), FedProx(mu=MU))
    before = trainer.net.get_parameter("head.bias").clone()
    trainer.train(job_of(trainer))
    assert torch.equal(trainer.net.get_parameter("head.bias"), before)


def _drift(method: FedProx) -> float:
    training = type(TRAINING)(optimizer=Optimizer(lr=0.05), batch_size=4, epochs=3)
    trainer = trainer_of(TOY, method, training)
    request = job_of(trainer)
    weights = trainer.train(request).weights
    return sum(float((weights[n] - request.shared[n]).square().sum()) for n, _ in trainer.net.named_parameters())
