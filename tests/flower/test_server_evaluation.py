"""The server's test images, scored in parts: the bits of one pass over them, wherever the parts are scored."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fedmed.client import Trainer
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.node_data import NodeData
from fedmed.engine.local import InProcessGrid
from fedmed.engine.pool import PoolGrid
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.flower import LocalGrid, app_of
from fedmed.flower.server_evaluation import assess
from fedmed.method import Client, Method, Payload, Scope
from fedmed.metrics import Tally, tally
from fedmed.strategies.fedavg import FedAvg
from tests.lending import Lending
from tests.toys import TOYS, multiclass, multilabel, segmentation, trainer_of

CLIENTS = 3
ROWS = 400
"""Images in five batches; the distances between their surfaces take most of the time of these tests."""
IMAGES = {"multiclass": multiclass, "multilabel": multilabel, "segmentation": segmentation}


@dataclass(frozen=True, kw_only=True)
class Deadly(Method):
    """The death of the first process that predicts test images."""

    file: str

    def predict(self, net: nn.Module, x: Tensor, scope: Scope, context: Client | None) -> Tensor:
        if not Path(self.file).exists():
            Path(self.file).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        found: Tensor = net(x)
        return found


def share_of_labels(outputs: Tensor, y: Tensor, seen: Tensor | None) -> float:
    """A metric of a user's own."""
    return float(y.double().mean() + outputs.double().mean())


def trainer(kind: str, method: Method) -> tuple[Trainer, Examples]:
    toy, test = TOYS[kind], IMAGES[kind](ROWS, 5)
    made = trainer_of(toy, method)
    training = replace(made.training, metrics=[share_of_labels])
    spec = replace(made.begun_anew(), share=NodeData(toy.shares, test), training=training)
    return Trainer(spec), test


def in_process(trainer: Trainer) -> LocalGrid:
    return InProcessGrid(app_of(trainer), CLIENTS)


def lending(trainer: Trainer) -> LocalGrid:
    return Lending(app_of(trainer), CLIENTS)


def pool(trainer: Trainer) -> LocalGrid:
    return PoolGrid(WorkerFactory(trainer, clients=CLIENTS, threads=1, start="auto"), CLIENTS, 2)


def moved(trainer: Trainer) -> Payload:
    """Weights that differ from those the trainer has."""
    return {name: tensor + 0.1 for name, tensor in trainer.shared.items() if tensor.is_floating_point()}


@cache
def of_one_pass(kind: str) -> Tally:
    whole, test = trainer(kind, FedAvg())
    whole.load(moved(whole))
    return whole.assess(test, "test", thorough=True)


@pytest.mark.parametrize("open_grid", [in_process, lending, pool])
@pytest.mark.parametrize("kind", IMAGES)
def test_parts_have_the_bits_of_one_pass(kind: str, open_grid: Callable[[Trainer], LocalGrid]) -> None:
    made, test = trainer(kind, FedAvg())
    shared = moved(made)
    batches = len(list(evaluation_slices(test)))
    assert batches > 4
    with open_grid(made) as grid:
        grid.client_timeout = 1e-6  # a limit of clients, and not of the server
        empty = tally(made.task, extra=made.training.metrics, thorough=True)
        found = assess(grid, shared, empty, batches, thorough=True)
        assert grid.client_timeout == 1e-6
        assert list(grid.get_node_ids()) == [1, 2, 3]
    expected = of_one_pass(kind)
    assert repr(found.scores()) == repr(expected.scores())
    assert "share_of_labels" in found.scores().values
    metric = next(name for name in found.scores().values if name not in ("loss", "share_of_labels"))
    assert found.interval(metric, seed=0, resamples=20) == expected.interval(metric, seed=0, resamples=20)


@pytest.mark.usefixtures("spawn_quickly")
def test_a_worker_that_dies_is_said_to_have_scored_the_servers_images_and_another_goes_on(tmp_path: Path) -> None:
    made, test = trainer("multiclass", Deadly(file=str(tmp_path / "died")))
    with (
        pool(made) as grid,
        pytest.warns(UserWarning, match="^the server's test images: its worker process was killed"),
    ):
        found = assess(
            grid, made.shared, tally(made.task, extra=made.training.metrics), len(list(evaluation_slices(test)))
        )
    assert repr(found.scores()) == repr(made.assess(test, "test").scores())


def test_what_a_part_raises_is_raised_here() -> None:
    made, test = trainer("multiclass", FedAvg())
    wrong = {name: torch.zeros(2, 3, 4, 5, 6) for name in made.shared}
    with in_process(made) as grid, pytest.raises(RuntimeError, match="size"):
        assess(grid, wrong, tally(made.task), len(list(evaluation_slices(test))))
