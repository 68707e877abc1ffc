"""FedNPR in rounds: its total loss, its refreshes, what travels, and classes with few or no images."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.config.build import experiment_from
from fedmed.config.compose import compose
from fedmed.data.examples import Examples
from fedmed.data.partition import CountTablePartition, ImageMetadata, divide
from fedmed.errors import UserError
from fedmed.method import Method, Report, Server, chain
from fedmed.metrics import tally
from fedmed.optimizers import learning_rate
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fednpr import FedNPR, _Centroids, _Classes, log_prior
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.moon import Moon
from fedmed.strategies.scaffold import Scaffold
from fedmed.tasks import MultiClass
from tests.strategies.test_fednpr import F_, M
from tests.toys import TOYS, Ended, Toy, federate, job_of, same, trainer_of

TOY = TOYS["multiclass"]


def a_client(counts: list[int], centroids: Tensor = M) -> Any:
    """A client that has prepared a round with images of each class and sub-centroids."""
    found = torch.tensor(counts)
    targets = found >= 2
    kept = {
        _Classes: _Classes(found, log_prior(found)),
        _Centroids: _Centroids(centroids, torch.zeros(0, 2), targets, masks=not bool(targets.all())),
    }
    return SimpleNamespace(task=MultiClass(classes=3), round=1, kept=kept.__getitem__)


def a_batch(features: Tensor, y: list[int]) -> Any:
    logits = torch.tensor([[2.0, 1.0, 0.0]]).repeat(len(y), 1)
    return SimpleNamespace(features=features, logits=logits, y=torch.tensor(y), seen=None)


def with_labels(y: list[int]) -> Toy:
    """The toy with other labels at client 0, which then holds as many images as there are labels."""
    return TOY.with_train(0, lambda held: Examples(held.x[: len(y)], torch.tensor(y)))


def centroids_after(toy: Toy, method: FedNPR, rounds: int = 1) -> list[Tensor]:
    """Client 0's sub-centroids round by round."""
    trainer, found, state = trainer_of(toy, method), [], {}
    for _ in range(rounds):
        outcome = trainer.train(job_of(trainer, state=state))
        assert math.isfinite(outcome.loss)
        state = outcome.state
        found.append(state["fednpr"]["centroids"])
    return found


@pytest.mark.parametrize(("mix", "total"), [("multiply", 6.557375), ("add", 6.987168)])
def test_the_total_loss(mix: Any, total: float) -> None:
    method, client, batch = FedNPR(mix=mix), a_client([90, 9, 1]), a_batch(F_, [2])
    client.kept(_Centroids).targets[:] = True
    assert method.loss(client, batch).item() == pytest.approx(6.537386, abs=1e-5)
    assert float(method.loss(client, batch) + method.penalty(client, batch)) == pytest.approx(total, abs=1e-5)


def test_centroids_and_classifier_get_no_gradient() -> None:
    features = F_.clone().requires_grad_()
    centroids = torch.nn.Parameter(M, requires_grad=False)
    penalty = FedNPR().penalty(a_client([5, 5, 5], centroids), a_batch(features, [2]))
    assert isinstance(penalty, Tensor)
    penalty.backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    assert centroids.grad is None
    state = federate(TOY, FedNPR()).memory(0)["fednpr"]
    assert set(state) == {"centroids"}
    assert not state["centroids"].requires_grad


def test_masked_images_are_left_out_of_the_mean() -> None:
    client, method = a_client([5, 1, 5]), FedNPR()
    both = method.penalty(client, a_batch(torch.cat([F_, F_]), [2, 1]))
    assert both == pytest.approx(method.penalty(client, a_batch(F_, [2])))
    assert method.penalty(client, a_batch(F_, [1])) == 0
    unmasked = replace(method, mask=False)
    assert float(unmasked.penalty(a_client([5, 5, 5]), a_batch(F_, [1]))) == pytest.approx(0.05 * 2.823758, abs=1e-5)


def test_only_classes_with_two_images_are_refreshed() -> None:
    before, after = centroids_after(with_labels([0] * 8 + [1]), FedNPR(), rounds=2)
    moved = (before != after).flatten(1).any(1)
    assert moved.tolist() == [True, False, False]


def test_fewer_images_than_centroids_leave_zeros_that_later_refreshes_fill_or_keep() -> None:
    rounds = centroids_after(with_labels([0, 0, 1, 1, 1, 2, 2]), FedNPR(centroids=5), rounds=4)
    for centroids in rounds:
        lengths = centroids.norm(dim=2)
        assert centroids.isfinite().all()
        assert torch.all((lengths == 0) | ((lengths - 1).abs() < 1e-5))
        assert ((lengths > 0).sum(1) <= torch.tensor([2, 3, 2])).all()


def test_absent_and_masked_classes_are_audited() -> None:
    (outcome,) = [t.train(job_of(t)) for t in [trainer_of(with_truth(with_labels([0] * 8 + [1])), FedNPR())]]
    assert outcome.audit["fednpr.classes.absent"] == 1
    assert outcome.audit["fednpr.classes.masked"] == 2


def test_the_regulariser_begins_in_its_first_round() -> None:
    """Before it, a run is the one without; from it on, it is not."""
    late, never = (FedNPR(weight=1.0, start=start) for start in (3, 9))
    for rounds, equal in ((2, True), (3, False)):
        one, other = (federate(TOY, method, rounds=rounds) for method in (late, never))
        assert same(one.shared, other.shared) is equal
    assert same(federate(TOY, never, rounds=3).shared, federate(TOY, FedNPR(weight=0.0), rounds=3).shared)


def test_the_gradient_s_ratio_is_audited_and_goes_with_the_weight() -> None:
    ratios = []
    for weight in (0.05, 0.1):
        trainer = trainer_of(with_truth(TOY), FedNPR(weight=weight, start=9))
        ratios.append(trainer.train(job_of(trainer)).audit["fednpr.gradient.ratio"])
    assert ratios[0] > 0
    assert ratios[1] == pytest.approx(2 * ratios[0], rel=1e-4)


def with_truth(toy: Toy) -> Toy:
    return replace(toy, shares=tuple(replace(held, truth=held.train.y) for held in toy.shares))


def test_what_travels_is_what_travels_under_fedavg() -> None:
    ours, plain = federate(TOY, FedNPR()), federate(TOY, FedAvg())
    assert wires(ours) == wires(plain)
    assert ours.progress.inbox == {}


def wires(ended: Ended) -> list[tuple[str, str, tuple[str, ...]]]:
    grid: Any = ended.grid
    return [(direction, name, tuple(tensors)) for direction, name, tensors in grid.recorded]


def test_the_head_of_fednpr_per_alone_stays_and_differs() -> None:
    ended = federate(TOY, FedNPR(local=("@head",)))
    heads = [ended.memory(k)["@local"] for k in range(3)]
    assert {tuple(head) for head in heads} == {("head.bias", "head.weight")}
    assert not same(heads[0], heads[1])
    assert set(ended.shared) == set(TOY.net().state_dict()) - {"head.bias", "head.weight"}
    assert all("head" not in name for _, _, names in wires(ended) for name in names)


def test_weights_of_fedisic6_are_its_hospitals_shares() -> None:
    rows = torch.arange(8).repeat_interleave(9100).numpy()
    parts = divide(CountTablePartition(), ImageMetadata(rows, rows >= 0), None, 0)
    reports = [Report(client=k, examples=len(p), loss=0.0, payload={}, weights={}) for k, p in enumerate(parts)]
    server = Server(round=1, rounds=1, seed=0, clients=tuple(range(6)), shared={}, state={})
    weights = FedNPR().weights(server, reports)
    assert (weights / weights.sum()).tolist() == pytest.approx(
        [0.53396, 0.17008, 0.14470, 0.09717, 0.03522, 0.01887], abs=1e-5
    )


def test_the_papers_schedule() -> None:
    """Rounds of the specification count from 0, fedmed's from 1."""
    settings = experiment_from(["experiment=fednpr_paper"]).optimizer
    rates = [learning_rate(settings, round + 1, 80) for round in (0, 58, 59, 68, 69, 79)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])


def test_balanced_accuracy_is_the_mean_recall_of_classes_that_occur() -> None:
    scores = tally(MultiClass(classes=3))
    scores.add(torch.eye(3)[torch.tensor([0, 0, 1, 1])], torch.tensor([0, 0, 0, 1]), None)
    assert scores.scores().values["balanced_accuracy"] == pytest.approx(0.833333, abs=1e-6)


@pytest.mark.parametrize("base", [FedAvg(), FedProx(mu=0.1), Moon(), Scaffold()], ids=lambda base: type(base).__name__)
@pytest.mark.parametrize("mix", ["multiply", "add"])
def test_without_weight_and_prior_every_base_is_itself_to_the_bit(base: Method, mix: Any) -> None:
    neutral = FedNPR(weight=0.0, supervised="base", mix=mix)
    with_it, alone = federate(TOY, chain(base, neutral), rounds=3), federate(TOY, base, rounds=3)
    assert same(with_it.shared, alone.shared)
    assert with_it.losses == alone.losses


def test_fewer_than_one_centroid_is_refused_before_anything_runs() -> None:
    with pytest.raises(UserError) as error:
        compose(["strategy=fednpr", "strategy.centroids=0"])
    assert [fault.where for fault in error.value.faults] == ["strategy.fednpr.centroids"]
