"""FedIA over rounds: when masks change, when it is FedAvg, and the indicator against the truth."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fedmed import rng
from fedmed.client import Training
from fedmed.data.augment import StandardAugment
from fedmed.data.examples import Examples
from fedmed.data.incomplete_masks import drop_objects
from fedmed.method import Batch, Client, Method, chain
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedia import FedIA
from fedmed.strategies.fedprox import FedProx
from fedmed.tasks import Segmentation
from tests.toys import TOYS, Toy, federate, finite, job_of, same, shared_out, trainer_of

TOY = TOYS["lesions"]


@dataclass(frozen=True, kw_only=True)
class Extra(Method):
    """Adds 1 to the loss."""

    def penalty(self, client: Client, batch: Batch) -> float:
        return 1.0


def test_other_penalties_stay_out_of_the_reported_loss() -> None:
    """Section 4: L_k is the Dice loss alone, here of three batches of four images."""
    trainer = trainer_of(TOY, chain(FedIA(), Extra()))
    outcome = trainer.train(job_of(trainer))
    assert float(outcome.payloads["fedia"]["loss"]) == pytest.approx(outcome.loss - 1, abs=1e-5)


def test_corrections_before_training_take_moved_masks() -> None:
    toy_training = Training(optimizer=Optimizer(lr=0.1), batch_size=4, augment=StandardAugment())
    assert federate(TOY, FedIA(), training=toy_training)


@pytest.mark.parametrize("when", ["prepare", "in_pass"])
def test_masks_change_in_the_round_after_the_flag(when: Any) -> None:
    """I7: flagged in round 2, corrected in round 3, once; integer counters stay integers."""
    toy = TOY.with_train(0, lambda held: replace(held, y=torch.zeros_like(held.y)))
    method = FedIA(warmup_rounds=1, trigger="fixed_round", hold=1, threshold=0.5, exempt_above=None, when=when)
    after = {rounds: federate(toy, method, rounds=rounds) for rounds in (2, 3, 5)}
    assert "pixels" not in after[2].memory(0)["fedia"]
    pixels = after[3].memory(0)["fedia"]["pixels"]
    assert torch.equal(pixels, after[5].memory(0)["fedia"]["pixels"])
    assert not after[5].shared["features.norm.num_batches_tracked"].is_floating_point()


def test_without_weighted_rounds_it_is_fedavg_on_the_dice_loss() -> None:
    """Neutral settings: T >= R, or every client exempt."""
    warm, exempt = FedIA(warmup_rounds=4), FedIA(warmup_rounds=1, exempt_above=0.0, trigger="fixed_round")
    one, other = (federate(TOY, method, rounds=4) for method in (warm, exempt))
    assert same(one.shared, other.shared)
    assert not same(one.shared, federate(TOY, FedAvg(), rounds=4).shared)


def test_it_runs_beside_another_penalty() -> None:
    assert finite(federate(TOY, chain(FedProx(), FedIA(warmup_rounds=1)), rounds=3).shared)


def test_it_learns_several_classes() -> None:
    """With both corrected and given masks; two foreground classes."""
    for method in (FedIA(warmup_rounds=99), FedIA(warmup_rounds=6, trigger="fixed_round", exempt_above=None)):
        ended = federate(TOYS["segmentation"], method, rounds=24, by_clients=True, due=lambda round: round in (1, 24))
        losses, dice = (
            [sum(row[f"test.{name}"] for row in ended.results[round - 1].evaluated) / 3 for round in (1, 24)]
            for name in ("loss", "dice")
        )
        assert losses[1] < 0.8 * losses[0]
        assert dice[1] > dice[0]


def blobs(rows: int, seed: int, share: float | None) -> tuple[Examples, float]:
    """Bright discs, of which a share is annotated, and the share in truth."""
    g = rng.numpy_generator(seed, "blobs")
    x, y = np.zeros((rows, 32, 32)), np.zeros((rows, 32, 32), np.uint8)
    grid = np.mgrid[:32, :32]
    for image in range(rows):
        for cell in g.permutation(9)[: g.integers(2, 7)]:
            middle = np.array([5 + 11 * (cell // 3), 5 + 11 * (cell % 3)]) + g.integers(-1, 2, 2)
            y[image][((grid - middle[:, None, None]) ** 2).sum(0) <= g.integers(4, 12)] = 1
    x = 0.3 + 0.4 * y + g.normal(0, 0.08, y.shape)
    drawn = [drop_objects(mask, share or 1.0, True, 4, g) for mask in y]
    given = torch.from_numpy(np.stack([one.mask for one in drawn]))
    realised = sum(one.given for one in drawn) / sum(one.true for one in drawn)
    return Examples(torch.from_numpy(x).float()[:, None], given), realised


@pytest.mark.slow
def test_the_indicator_follows_the_truth() -> None:
    """I9: four clients of 48 images, T = 30, a CNN of three layers."""
    made = [blobs(48, k, share) for k, share in enumerate((0.4, 0.6, 0.8, 1.0))]
    (some,) = shared_out(lambda rows, seed: made[0][0][:rows], clients=1)
    toy = Toy(
        task=Segmentation(classes=2),
        shares=tuple(replace(some, train=held) for held, _ in made),
        make=_three_layers,
    )
    training = Training(optimizer=Optimizer(name="adam", lr=0.01), batch_size=4)
    ended = federate(toy, FedIA(warmup_rounds=31), rounds=32, training=training)
    found = [ended.memory(k)["fedia"]["completeness"] for k in range(4)]
    assert found == pytest.approx([truth for _, truth in made], abs=0.03)
    assert found == sorted(set(found))


def _three_layers() -> Net:
    layers: list[nn.Module] = []
    for channels in (1, 8):
        layers += [nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    return Net(nn.Sequential(*layers), nn.Conv2d(8, 2, 1))
