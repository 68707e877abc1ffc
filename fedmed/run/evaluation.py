"""The global model on the server's test images: after a round, and at the end of a run, in all and by domain."""

from __future__ import annotations

from math import isfinite

import torch
from flwr.serverapp import Grid

from fedmed.data.batches import evaluation_slices
from fedmed.flower import LocalGrid
from fedmed.flower.server_evaluation import assess
from fedmed.method import Payload
from fedmed.metric_direction import worst
from fedmed.metrics import Tally, tally
from fedmed.run.examples import keep_examples
from fedmed.run.parts import Parts
from fedmed.run.rows import rests
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
    Intervals are by patient where patients are known, and metrics by domain too where domains are. Nothing where there
    is no global model.
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
    if parts.metric in scores.values and parts.metric not in ("loss", *_own_metrics(parts)):
        groups = None if world.test_patient is None else torch.from_numpy(world.test_patient)
        low, high = tally.interval(parts.metric, groups, seed=parts.experiment.seed)
        out |= {f"test.{parts.metric}.low": low, f"test.{parts.metric}.high": high}
    details = {
        "defined": dict(scores.defined),
        "of": dict(scores.of),
        "undefined": list(scores.undefined),
        **scores.detail,
    }
    content = {"values": dict(scores.values), "examples": scores.examples, **details}
    write_evaluation(content | {"breakdown": tally.breakdown()}, kept.path)
    return out | _by_domain(parts)


def _by_domain(parts: Parts) -> Final:
    """`domain.<name>.<metric>`, and the `mean`, the `worst` and the `spread` (largest minus smallest) over the domains.

    Every domain counts alike; where some have no value, these say so: `.defined` domains `.of` all. Nothing where the
    test images are of one domain.
    """
    world = parts.world
    if len(world.test_domains) < 2:
        return {}
    found = {
        name: parts.trainer.score(world.test[torch.from_numpy(rows)], "test")
        for name, rows in world.test_domains.items()
    }
    out: Final = {
        f"domain.{name}.{metric}": value for name, scores in found.items() for metric, value in scores.flat().items()
    }
    for metric in dict.fromkeys(metric for scores in found.values() for metric in scores.values):
        values = [scores.values[metric] for scores in found.values() if metric in scores.values]
        if not (defined := [value for value in values if isfinite(value)]):
            continue
        over = {f"domain.mean.{metric}": sum(defined) / len(defined)}
        if metric in parts.directions:
            over[f"domain.worst.{metric}"] = worst(defined, higher=parts.directions[metric])
        over[f"domain.spread.{metric}"] = max(defined) - min(defined)
        out |= over | rests(over, len(defined), len(found))
    return out


def _own_metrics(parts: Parts) -> list[str]:
    """Names of the user's metrics, which have no interval."""
    return [metric.__name__ for metric in parts.trainer.training.metrics]
