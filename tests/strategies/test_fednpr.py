"""Golden numbers and undefined cases of FedNPR (arXiv 2407.12446)."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed import rng
from fedmed.config.build import experiment_from
from fedmed.method import chain
from fedmed.strategies._directions import unit
from fedmed.strategies.fednpr import FedNPR, cluster_means, log_prior, purity, sinkhorn, standings
from fedmed.strategies.fedprox import FedProx
from tests.toys import TOYS, federate, job_of, trainer_of

M = torch.tensor([[[1, 0, 0], [0.6, 0.8, 0]], [[0, 1, 0], [0, 0.8, 0.6]], [[0, 0, 1], [0.8, 0, 0.6]]])
F_ = torch.tensor([[3.0, 1.0, 2.0]])
S = torch.tensor([[0.9, 0.8], [0.85, 0.2], [0.7, 0.6], [0.95, 0.9]])


def close(found: Tensor, expected: list[float] | list[list[float]], tolerance: float = 1e-5) -> bool:
    return torch.allclose(found.double(), torch.tensor(expected).double(), rtol=0, atol=tolerance)


def cross_entropies(logits: Tensor) -> Tensor:
    return torch.stack([F.cross_entropy(logits, torch.tensor([y])) for y in range(3)])


def test_balanced_softmax() -> None:
    adjusted = torch.tensor([[2.0, 1.0, 0.0]]) + log_prior(torch.tensor([90, 9, 1]))
    assert close(adjusted[0], [1.89464, -1.40795, -4.60517])
    assert close(cross_entropies(adjusted), [0.037577, 3.340162, 6.537386])
    absent = torch.tensor([[2.0, 1.0, 0.0]]) + log_prior(torch.tensor([90, 10, 0]))
    assert absent[0, 2].item() == pytest.approx(-20.72327, abs=1e-5)
    assert cross_entropies(absent)[2].item() == pytest.approx(22.657968, abs=1e-5)


def test_standings_and_their_cross_entropy() -> None:
    similar = torch.einsum("nd,ckd->nkc", unit(F_), unit(M))
    assert close(similar.max(1).values[0], [0.801784, 0.534522, 0.962140])
    z = standings(F_, M)
    assert close(z[0], [0.201998, -1.312987, 1.110989])
    assert close(cross_entropies(z), [1.308773, 2.823758, 0.399782])


@pytest.mark.parametrize(
    ("y", "expected"), [(2, [0.224468, -0.134631, -0.269387]), (0, [-0.579303, 0.347515, 0.695197])]
)
def test_gradient_is_scale_free(y: int, expected: list[float]) -> None:
    f = F_.double().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(standings(f, M.double()), torch.tensor([y])), f)
    assert close(gradient[0], expected)
    assert abs((f * gradient).sum().item()) < 1e-10
    scaled = standings(F_.double(), unit(M.double() * torch.tensor([2.0, 0.5]).double()[None, :, None]))
    assert torch.allclose(scaled, standings(7 * F_.double(), M.double()))


@pytest.mark.parametrize(
    ("classes", "floor"),
    [(2, 0.126928), (3, 0.214907), (5, 0.283930), (7, 0.295941), (8, 0.292924), (10, 0.278439), (14, 0.237191)],
)
def test_the_floor_of_the_loss(classes: int, floor: float) -> None:
    z = F.layer_norm(torch.eye(classes)[:1], (classes,), eps=0)
    assert z[0, 0].item() == pytest.approx(math.sqrt(classes - 1), abs=1e-5)
    assert F.cross_entropy(z, torch.tensor([0])).item() == pytest.approx(floor, abs=1e-5)


def test_sinkhorn_balances_where_nearest_does_not() -> None:
    q = sinkhorn(S, 0.05, 3)
    rows = [[0.425523, 0.574477], [0.999977, 0.000023], [0.425523, 0.574477], [0.214141, 0.785859]]
    assert close(q, rows, 1e-4)
    assert q.argmax(1).tolist() == [1, 0, 1, 1]
    assert S.argmax(1).tolist() == [0, 0, 0, 0]
    assert close(q.sum(0), [2.0652, 1.9348], 1e-4)
    assert close(sinkhorn(S, 0.05, 50).sum(0), [2.0, 2.0], 1e-4)
    assert sinkhorn(S, 1e-3, 3).isfinite().all()


def test_refresh_of_sub_centroids() -> None:
    features = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]])
    found = cluster_means(features, torch.tensor([1, 0, 1, 1]), 3)
    assert close(found[:2], [[0.8, 0.6], [0.66436, 0.74741]])
    assert (found[2] == 0).all()


def refreshed(assign: str, features: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Four sub-centroids after ten refreshes, and the assignment of every image."""
    rows = unit(torch.randn(4, features.shape[1], generator=g))
    for _ in range(10):
        similar = features @ unit(rows).T
        chosen = {
            "sinkhorn": sinkhorn(similar, 0.05, 3).argmax(1),
            "nearest": similar.argmax(1),
            "random": torch.randint(4, (len(features),), generator=g),
        }[assign]
        rows = cluster_means(features, chosen, 4)
    return rows, chosen


def test_planted_clusters_are_found_by_sinkhorn_not_by_chance() -> None:
    score: dict[str, list[float]] = {"sinkhorn": [], "nearest": [], "random": []}
    alike = []
    for seed in range(12):
        g = rng.generator(seed, "planted")
        centres = unit(torch.randn(4, 128, generator=g))
        truth = torch.arange(400) % 4
        features = unit(centres[truth] + 0.03 * torch.randn(400, 128, generator=g))
        for assign, found in score.items():
            rows, assigned = refreshed(assign, features, g)
            found.append(purity(assigned, truth))
        alike.append((unit(rows) @ unit(rows).T).triu(1).sum().item() / 6)  # of random, the last
    assert sum(score["sinkhorn"]) / 12 >= 0.9
    assert sum(score["sinkhorn"]) > sum(score["nearest"])
    assert max(score["random"]) <= 0.35
    assert min(alike) >= 0.9


def test_zero_features_and_empty_centroids_give_no_nan() -> None:
    zero = torch.zeros(2, 3, requires_grad=True)
    z = standings(zero, M)
    assert z.isfinite().all()
    F.cross_entropy(z, torch.tensor([0, 1])).backward()
    assert zero.grad is not None
    assert (zero.grad == 0).all()
    assert standings(F_, torch.zeros_like(M)).isfinite().all()


def test_an_empty_centroid_has_cosine_zero() -> None:
    opposite = torch.stack([-unit(F_)[0], torch.zeros(3)])  # cosines -1 and 0
    similar = torch.tensor([[0.0, 0.534522]])
    assert torch.allclose(
        standings(F_, torch.stack([opposite, M[1]])), F.layer_norm(similar, (2,), eps=1e-5), atol=1e-5
    )


def test_of_equally_near_centroids_the_first_is_taken() -> None:
    assert sinkhorn(torch.ones(5, 4), 0.05, 3).argmax(1).tolist() == [0] * 5


def test_a_class_with_one_image_is_no_target_and_keeps_its_centroids() -> None:
    toy = TOYS["multiclass"].with_train(0, lambda held: held[:1])
    trainer = trainer_of(toy, FedNPR())
    first = trainer.train(job_of(trainer))
    again = trainer.train(job_of(trainer, state=first.state))
    assert torch.equal(first.state["fednpr"]["centroids"], again.state["fednpr"]["centroids"])
    assert math.isfinite(again.loss)


def test_centroids_never_travel_and_a_base_loss_leaves_the_slot_free() -> None:
    trainer = trainer_of(TOYS["multiclass"], chain(FedProx(), FedNPR(supervised="base")))
    outcome = trainer.train(job_of(trainer))
    assert not any(outcome.payloads.values())
    assert outcome.weights.keys() == trainer.net.state_dict().keys()
    assert not trainer.chain.has("loss")
    assert federate(TOYS["multiclass"], FedNPR())


@pytest.mark.parametrize(
    ("preset", "fields"),
    [
        ("fednpr_per", {"local": ("@head",), "weight": 0.05}),
        ("fednpr_released", {"assign": "random", "mix": "add", "mask": False, "weight": 0.05}),
        ("imbalance", {"weight": 0.0, "supervised": "balanced"}),
    ],
)
def test_presets(preset: str, fields: dict[str, Any]) -> None:
    node = experiment_from([f"strategy={preset}"]).methods.members["fednpr"]
    assert {name: getattr(node, name) for name in fields} == fields
