"""The global model on the server's test images: on the clients' engine where that is of this machine, else here."""

from __future__ import annotations

from flwr.serverapp import Grid

from fedmed.data.batches import evaluation_slices
from fedmed.flower import LocalGrid
from fedmed.flower.server_evaluation import assess
from fedmed.method import Payload
from fedmed.metrics import Tally, tally
from fedmed.run.parts import Parts


def assess_test(parts: Parts, grid: Grid, shared: Payload, *, thorough: bool = False) -> Tally:
    """The tally of the weights on all test images; the same bits wherever they are scored."""
    trainer, test = parts.trainer, parts.world.test
    if not (parts.experiment.engine.simulates and isinstance(grid, LocalGrid)):
        trainer.load(shared)
        return trainer.assess(test, "test", thorough=thorough)
    empty = tally(trainer.task, extra=trainer.training.metrics, thorough=thorough)
    return assess(grid, shared, empty, len(list(evaluation_slices(test))), thorough=thorough)
