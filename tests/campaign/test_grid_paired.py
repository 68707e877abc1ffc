"""For one seed, every strategy meets the same data, partition, first weights and clients."""

from __future__ import annotations

import json

import pytest
import torch

from fedmed.campaign.grid import PlannedRun
from fedmed.config.build import build
from fedmed.run import run as run_experiment
from fedmed.run.parts import Parts, build_parts
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.progress import make_run_display
from tests.campaign.conftest import MakeGrid

WORLD = ("partition.alpha=0.3", "annotation=label_noise", "shift=scanner", "clients=5", "clients_per_round=2")
ARMS = "strategy=fedavg,fedprox,scaffold,moon,fedprox+fedbn"


@pytest.fixture
def arms(small: MakeGrid) -> list[PlannedRun]:
    return small(ARMS, *WORLD, "seed=3", "model.norm=batch", references=True)


def test_all_arms_have_the_same_images_labels_partition_and_first_weights(arms: list[PlannedRun]) -> None:
    first, *others = [_parts(job) for job in arms]
    for job, other in zip(arms[1:], others, strict=True):
        assert other.world.fingerprint == first.world.fingerprint, job.label
        assert all((a == b).all() for a, b in zip(first.world.parts, other.world.parts, strict=True)), job.label
        assert torch.equal(other.world.test.x, first.world.test.x), job.label
        assert _images(other) == _images(first), job.label
        for name, tensor in first.net.state_dict().items():
            assert torch.equal(other.net.state_dict()[name], tensor), (job.label, name)


def test_another_seed_is_another_world(small: MakeGrid) -> None:
    one, other = (_parts(job) for job in small("strategy=fedavg", *WORLD, "seed=3,4"))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(one.world.parts, other.world.parts, strict=True))
    assert not torch.equal(*(parts.net.state_dict()["head.weight"] for parts in (one, other)))


def test_all_arms_ask_the_same_clients_in_the_same_rounds(arms: list[PlannedRun]) -> None:
    asked = {job.label: _asked(job) for job in arms if not job.config["pooled"]}
    assert len({json.dumps(each) for each in asked.values()}) == 1, asked
    assert len({json.dumps(each) for each in next(iter(asked.values()))}) > 1, "a choice that no round makes anew"


def _parts(job: PlannedRun) -> Parts:
    return build_parts(build(job.config))


def _images(parts: Parts) -> tuple[list[float], list[int]]:
    """Every training image, by its sum, and its label, whoever holds it."""
    shares = [share.train for share in parts.world.shares]
    sums, labels = torch.cat([s.x.double().flatten(1).sum(1) for s in shares]), torch.cat([s.y for s in shares])
    return sums.tolist(), labels.tolist()


def _asked(job: PlannedRun) -> list[list[int]]:
    run_experiment(build(job.config), job.directory, show=make_run_display(quiet=True))
    rows = RunDirectory(job.directory).rows("clients")
    return [[row["client"] for row in rows if row["round"] == r and "loss" in row] for r in (1, 2, 3)]
