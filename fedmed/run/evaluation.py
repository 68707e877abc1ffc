"""The global model on the server's test images: after a round, and at the end of a run, in all and in parts."""

from __future__ import annotations

from flwr.serverapp import Grid

from fedmed.data.batches import evaluation_slices
from fedmed.flower import LocalGrid
from fedmed.flower.server_evaluation import assess
from fedmed.method import Payload
from fedmed.metrics import Tally, tally
from fedmed.run.examples import keep_examples
from fedmed.run.parts import Parts
from fedmed.run.subgroups import by_attribute, by_domain, interval_of
from fedmed.rundir import checkpoint
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.evaluation import write_evaluation
from fedmed.rundir.final import Final


def assess_test(parts: Parts, grid: Grid, shared: Payload, *, thorough: bool = False) -> Tally:
    """The tally of the weights on all test images; the same bits wherever they are scored.

    They are scored by the clients' engine where that is of this machine, else in this process.
    """
    trainer, test = parts.trainer, parts.world.test
    if not (parts.experiment.engine.simulates and isinstance(grid, LocalGrid)):
        trainer.load(shared)
        return trainer.assess(test, "test", thorough=thorough)
    empty = tally(trainer.task, extra=trainer.training.metrics, thorough=thorough)
    return assess(grid, shared, empty, len(list(evaluation_slices(test))), thorough=thorough)


def evaluate_finally(parts: Parts, kept: RunDirectory, grid: Grid) -> Final:
    """The final metrics, with a 95 % bootstrap interval of the main one; details go to evaluation.json.

    Slow metrics are among them if the run is thorough. A few images are kept beside them, whatever is evaluated.
    Intervals are by patient where patients are known, and metrics by domain and by attribute too where these are.
    Nothing where there is no global model.
    """
    world, saved = parts.world, checkpoint.load(kept.checkpoints)
    if saved is None:
        return {}
    keep_examples(parts, kept.path, saved)
    if parts.personal or not len(world.test) or "test" not in parts.experiment.scopes:
        return {}
    parts.trainer.load(saved.shared)
    tally = assess_test(parts, grid, saved.shared, thorough=parts.experiment.thorough)
    scores = tally.scores()
    out: Final = {f"test.{name}": value for name, value in scores.flat().items()}
    out |= interval_of(parts, tally, scores, "test")
    details = {
        "defined": dict(scores.defined),
        "of": dict(scores.of),
        "undefined": list(scores.undefined),
        **scores.detail,
    }
    content = {"values": dict(scores.values), "examples": scores.examples, **details}
    write_evaluation(content | {"breakdown": tally.breakdown()}, kept.path)
    return out | by_domain(parts) | by_attribute(parts)
