"""Clients in lock step, against the same clients one after another, to the tolerance that the order of sums needs."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from fedmed.client import Training
from fedmed.client.batched import obstacle
from fedmed.data.augment import StandardAugment
from fedmed.engine.cohort import CohortEngine, CohortGrid
from fedmed.engine.local import InProcessGrid
from fedmed.method import Method
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, Ended, Net, Toy, classifier, federate, trainer_of

TOLERANCE = 1e-5


def plain(toy: Toy) -> Toy:
    """The toy with a net without running statistics."""
    if toy.task.kind != "segmentation":
        return replace(toy, make=lambda: classifier(3, norm=False))

    def make() -> Net:
        features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())
        return Net(features, nn.Conv2d(4, toy.task.classes, 1))

    return replace(toy, make=make)


def uneven(toy: Toy) -> Toy:
    """Clients of 12, 3 and 7 images: other numbers of steps, and short last batches."""
    return toy.with_train(1, lambda train: train[:3]).with_train(2, lambda train: train[:7])


def both(
    toy: Toy, method: Method, training: Training = TRAINING, size: int = 16, **options: Any
) -> tuple[Ended, Ended]:
    with CohortEngine(size=size).grid(trainer_of(toy, method, training), len(toy.shares)) as grid:
        assert isinstance(grid, CohortGrid)
        together = federate(toy, method, training=training, grid=grid, rounds=3, adapted=True, **options)
    return together, federate(toy, method, training=training, rounds=3, adapted=True, **options)


def assert_close(one: Ended, other: Ended) -> None:
    assert one.shared.keys() == other.shared.keys()
    for name, tensor in one.shared.items():
        torch.testing.assert_close(tensor, other.shared[name], rtol=TOLERANCE, atol=TOLERANCE)
    for ours, theirs in zip(one.results, other.results, strict=True):
        for row, expected in zip(ours.clients, theirs.clients, strict=True):
            assert row.keys() == expected.keys()
            timeless = [name for name in row if not name.startswith("seconds")]
            assert [row[n] for n in timeless] == pytest.approx([expected[n] for n in timeless], abs=1e-4)


@pytest.mark.parametrize("task", TOYS)
@pytest.mark.parametrize("size", [1, 2, 16])
def test_clients_in_lock_step_are_clients_one_after_another(task: str, size: int) -> None:
    assert_close(*both(uneven(plain(TOYS[task])), FedAvg(), size=size))


@pytest.mark.parametrize(
    "training",
    [
        pytest.param(replace(TRAINING, epochs=2), id="epochs"),
        pytest.param(replace(TRAINING, steps=5), id="steps"),
        pytest.param(replace(TRAINING, clip_norm=0.1), id="clipped"),
        pytest.param(replace(TRAINING, augment=StandardAugment()), id="augmented"),
        pytest.param(replace(TRAINING, optimizer=Optimizer(lr=0.05, momentum=0.9, weight_decay=0.01)), id="momentum"),
        pytest.param(replace(TRAINING, optimizer=Optimizer(name="adam", lr=0.01, schedule="cosine")), id="adam"),
    ],
)
def test_settings_of_training_mean_the_same(training: Training) -> None:
    assert_close(*both(uneven(plain(TOYS["multiclass"])), FedAvg(), training))


def test_hidden_labels_do_not_count() -> None:
    def hide(train: Any) -> Any:
        seen = torch.ones_like(train.y, dtype=torch.bool)
        seen[::2, 0] = False
        return replace(train, seen=seen)

    assert_close(*both(plain(TOYS["multilabel"]).with_train(1, hide), FedAvg()))


def test_what_is_local_stays_with_its_client() -> None:
    together, alone = both(plain(TOYS["multiclass"]), FedPer(), clients_per_round=2)
    assert_close(together, alone)
    for client in range(3):
        ours, theirs = together.memory(client)["@local"], alone.memory(client)["@local"]
        assert ours
        assert ours.keys() == theirs.keys()
        for name in ours:
            torch.testing.assert_close(ours[name], theirs[name], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("toy", "method", "training", "why"),
    [
        (plain(TOYS["multiclass"]), FedProx(), TRAINING, "fedprox looks into local training"),
        (plain(TOYS["multiclass"]), Scaffold(), TRAINING, "scaffold looks into local training"),
        (TOYS["multiclass"], FedBN(), TRAINING, "the model keeps running statistics"),
        (
            plain(TOYS["multiclass"]),
            FedAvg(),
            replace(TRAINING, optimizer=Optimizer(state="persist")),
            "optimizer.state=persist",
        ),
    ],
)
def test_others_train_one_after_another_and_the_reason_is_told(
    toy: Toy, method: Method, training: Training, why: str
) -> None:
    with pytest.warns(UserWarning, match=why), CohortEngine().grid(trainer_of(toy, method, training), 3) as grid:
        assert type(grid) is InProcessGrid


def test_dropout_is_an_obstacle() -> None:
    toy = plain(TOYS["multiclass"])

    def make() -> Net:
        return Net(toy.make().features, nn.Sequential(nn.Dropout(0.5), toy.make().head))

    assert "dropout" in (obstacle(trainer_of(replace(toy, make=make), FedAvg())) or "")
    assert obstacle(trainer_of(toy, FedAvg())) is None


def test_training_that_diverges_is_named() -> None:
    training = replace(TRAINING, optimizer=Optimizer(lr=1e30))
    with pytest.raises(Exception, match="client 0, round 1, train, strategy fedavg: expected a finite training loss"):
        both(plain(TOYS["multiclass"]), FedAvg(), training)
