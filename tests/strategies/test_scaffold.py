from copy import deepcopy

import pytest
import torch
from torch import Tensor

from fedmed import rng
from fedmed.client import Training
from fedmed.method import Method, Setup, chain
from fedmed.optimizers import Optimizer
from fedmed.server import sample
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, Toy, classifier, federate, job_of, trainer_of

SMOOTH = Toy(task=TOYS["multiclass"].task, shares=TOYS["multiclass"].shares, make=lambda: classifier(3, norm=False))
LR, BATCH, EPOCHS = 0.1, 4, 2
TRAINING = Training(optimizer=Optimizer(lr=LR), batch_size=BATCH, epochs=EPOCHS)
Weights = dict[str, Tensor]


@pytest.mark.parametrize("sampled", [None, 2])
def test_it_follows_algorithm_1_option_ii(sampled: int | None) -> None:
    toy = SMOOTH.with_train(0, lambda held: held[:6])
    ended = federate(toy, Scaffold(), rounds=3, training=TRAINING, clients_per_round=sampled)
    shared, c, own = _by_hand(toy, rounds=3, sampled=sampled)
    _assert_close(ended.shared, shared)
    _assert_close(ended.progress.inbox["scaffold"], c)
    asked = {row["client"] for result in ended.results for row in result.clients}
    for client in asked:
        _assert_close(ended.memory(client)["scaffold"]["variate"], own[client])


def test_models_count_alike_however_many_images_their_clients_hold() -> None:
    toy = SMOOTH.with_train(0, lambda held: held[:1])
    ended = federate(toy, Scaffold(), rounds=1, training=TRAINING)
    plain = federate(toy, Method(), rounds=1, training=TRAINING)
    assert not torch.equal(ended.shared["head.weight"], plain.shared["head.weight"])
    _assert_close(ended.shared, _by_hand(toy, rounds=1, sampled=None)[0])


def test_the_server_variate_is_the_mean_of_the_clients_when_all_take_part() -> None:
    ended = federate(SMOOTH, Scaffold(), rounds=3, training=TRAINING)
    own = [ended.memory(client)["scaffold"]["variate"] for client in range(3)]
    for name, c in ended.progress.inbox["scaffold"].items():
        # corrections c - c_k sum to zero
        torch.testing.assert_close(sum(c - variates[name] for variates in own), torch.zeros_like(c), atol=1e-5, rtol=0)


def test_with_full_gradients_the_variate_is_the_gradient() -> None:
    training = Training(optimizer=Optimizer(lr=LR), batch_size=99)
    ended = federate(SMOOTH, Scaffold(), rounds=1, training=training)
    net, train = SMOOTH.net(), SMOOTH.shares[1].train
    SMOOTH.task.loss(net(train.x), train.y, None).backward()
    for name, p in net.named_parameters():
        torch.testing.assert_close(ended.memory(1)["scaffold"]["variate"][name], p.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("optimizer", [Optimizer(name="adam"), Optimizer(name="adamw"), Optimizer(momentum=0.9)])
def test_it_refuses_what_is_not_plain_sgd_alone_and_in_chains(optimizer: Optimizer) -> None:
    setup = Setup(task=SMOOTH.task, net=SMOOTH.net(), optimizer=optimizer, rounds=2, clients=3)
    assert [fault.where for fault in chain(FedPer(), Scaffold()).check(setup)] == ["optimizer"]
    assert "scaffold" in str(chain(Scaffold()).check(setup)[0])


def test_it_accepts_plain_sgd_of_any_rate() -> None:
    setup = Setup(task=SMOOTH.task, net=SMOOTH.net(), optimizer=Optimizer(lr=3.0), rounds=2, clients=3)
    assert chain(Scaffold()).check(setup) == []


def test_the_rate_of_the_round_scales_the_variate() -> None:
    """With a cosine schedule the second round's rate is half: the variate is still the mean gradient."""
    training = Training(optimizer=Optimizer(lr=LR, schedule="cosine"), batch_size=99)
    ended = federate(SMOOTH, Scaffold(), rounds=2, training=training)
    reached = federate(
        SMOOTH, Scaffold(), rounds=1, training=Training(optimizer=Optimizer(lr=LR), batch_size=99)
    ).shared
    net, train = SMOOTH.net(), SMOOTH.shares[0].train
    net.load_state_dict(reached)
    SMOOTH.task.loss(net(train.x), train.y, None).backward()
    for name, p in net.named_parameters():
        torch.testing.assert_close(ended.memory(0)["scaffold"]["variate"][name], p.grad, atol=2e-5, rtol=1e-3)


def test_a_client_with_a_variate_of_its_own_alone_is_corrected_by_it() -> None:
    """Where the first round failed elsewhere, a client may know c_k and the server no c yet."""
    trainer = trainer_of(SMOOTH, Scaffold(), TRAINING)
    own = {name: torch.full_like(p, 0.5) for name, p in trainer.net.named_parameters()}
    session = trainer.receive(job_of(trainer, state={"scaffold": {"variate": own}}))
    trainer.chain.prepare(session)
    for p in trainer.net.parameters():
        p.grad = torch.full_like(p, 2.0)
    trainer.chain.correct(session)
    assert all((p.grad == 1.5).all() for p in trainer.net.parameters())


def _by_hand(toy: Toy, rounds: int, sampled: int | None) -> tuple[Weights, Weights, list[Weights]]:
    """The shared weights, the server's variate and the clients' after some rounds."""
    net, clients = toy.net(), len(toy.shares)
    x = {name: p.detach().clone() for name, p in net.named_parameters()}
    c = {name: torch.zeros_like(p) for name, p in x.items()}
    own = [{name: torch.zeros_like(p) for name, p in x.items()} for _ in range(clients)]
    for t in range(1, rounds + 1):
        chosen = sample(range(clients), sampled, seed=0, round=t)
        delta_x = {name: torch.zeros_like(p) for name, p in x.items()}
        delta_c = {name: torch.zeros_like(p) for name, p in x.items()}
        for k in chosen:
            y, steps = _descend(net, toy, x, {n: c[n] - own[k][n] for n in x}, k, t)
            new = {n: own[k][n] - c[n] + (x[n] - y[n]) / (steps * LR) for n in x}
            for n in x:
                delta_x[n] += (y[n] - x[n]) / len(chosen)
                delta_c[n] += (new[n] - own[k][n]) / len(chosen)
            own[k] = new
        x = {n: x[n] + delta_x[n] for n in x}
        c = {n: c[n] + len(chosen) / clients * delta_c[n] for n in x}
    return x, c, own


def _descend(net: torch.nn.Module, toy: Toy, x: Weights, drift: Weights, k: int, t: int) -> tuple[Weights, int]:
    """y <- y - lr (g - c_k + c) over the client's batches."""
    model, train = deepcopy(net), toy.shares[k].train
    model.load_state_dict(x)
    order, steps = rng.generator(0, "batches", t, k), 0
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train), generator=order).split(BATCH):
            loss = toy.task.loss(model(train.x[rows]), train.y[rows], None)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for (name, p), g in zip(model.named_parameters(), gradients, strict=True):
                    p -= LR * (g + drift[name])
            steps += 1
    return {name: p.detach() for name, p in model.named_parameters()}, steps


def _assert_close(got: Weights, wanted: Weights) -> None:
    assert got.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(got[name], wanted[name], atol=1e-5, rtol=1e-4)
