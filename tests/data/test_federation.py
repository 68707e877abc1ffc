"""A federation of tensors: who holds what is what was given, and what cannot be meant is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fedmed


def pair(images: int, classes: int = 3, side: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(images) % classes
    return torch.rand(images, 1, side, side, generator=g) + y[:, None, None, None] / 3, y


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_pair_is_a_client() -> None:
    made = fedmed.Federation(train=[pair(20), pair(30), pair(1)], val=0.0, test=pair(12, seed=9))
    rows = fedmed.describe(fedmed.Experiment(dataset=made, client_test=0.0)).clients
    assert [row["train"] for row in rows] == [20, 30, 1]
    assert made.classes == 3


def test_arrays_and_grey_images_and_own_validation_are_taken() -> None:
    grey = (np.zeros((6, 12, 12), np.uint8), np.arange(6) % 2)
    made = fedmed.Federation(train=[grey, grey], val=[grey, grey], test=0.2)
    table = made.load()
    assert table.examples.x.shape == (24, 1, 12, 12)
    assert table.examples.x.dtype == torch.uint8


@pytest.mark.parametrize("task", ["multilabel", "segmentation"])
def test_other_tasks_run(task: str) -> None:
    x, _ = pair(20, side=16)
    y = torch.randint(0, 2, (20, 3)) if task == "multilabel" else (x[:, 0] > 0.8).long()
    made = fedmed.Federation(train=[(x, y), (x, y)], test=(x, y), task=task)  # type: ignore[arg-type]
    run = fedmed.Experiment(dataset=made, rounds=1).run("run", quiet=True)
    assert run.status == "finished"


def test_a_run_of_it_is_known_by_what_it_holds_and_goes_on_from_python() -> None:
    def experiment(seed: int = 9) -> fedmed.Experiment:
        return fedmed.Experiment(
            dataset=fedmed.Federation(train=[pair(20), pair(30)], test=pair(12, seed=seed)), rounds=1
        )

    assert experiment() == experiment() != experiment(seed=8)
    run = experiment().run("run", quiet=True)
    assert not [name for name in run.final if name.startswith("domain")]
    assert len(run.resume(experiment(), rounds=2, quiet=True).rounds) == 2
    with pytest.raises(fedmed.UserError, match="the images that the run was given in Python"):
        fedmed.load("run").resume(rounds=3)
    with pytest.raises(fedmed.UserError):
        run.resume(experiment(seed=8), rounds=3, quiet=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"train": []}, "a pair (images, labels) for each client, got none"),
        ({"train": [pair(5), pair(5, side=8)]}, "images (C, H, W) of one shape"),
        ({"train": [(pair(5)[0], pair(4)[1])]}, "Federation.train[0]: expected labels of multiclass for 5 images"),
        ({"train": [pair(5)], "val": [pair(2), pair(2)]}, "a pair for each of 1 clients"),
        ({"train": [pair(5)], "test": 1.5}, "Federation.test: expected a fraction"),
        ({"train": [(pair(5)[0] * float("nan"), pair(5)[1])]}, "finite pixels"),
        ({"train": [(torch.zeros(3), torch.zeros(3))]}, "expected images, got a tensor of shape (3,)"),
        ({"train": [pair(5)], "task": "detection"}, "Federation.task: expected one of"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(fedmed.UserError) as refused:
        fedmed.Federation(**given)
    assert words in str(refused.value)


def test_volumes_are_trained_on_as_they_are(tmp_path: Path) -> None:
    x = torch.randint(256, (8, 2, 6, 6, 6)).to(torch.uint8)
    given = fedmed.Federation(train=[(x, torch.arange(8) % 2), (x, torch.arange(8) % 2)])
    run = fedmed.Experiment(dataset=given, rounds=1, model=fedmed.SmallCnn(width=2)).run(tmp_path / "run", quiet=True)
    assert run.predict(x).prediction.shape == (8,)
