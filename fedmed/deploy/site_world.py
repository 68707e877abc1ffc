"""Worlds of a run whose images stay where they are: what one site sees, and what the server sees, of the same run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from fedmed.config.build import target_of
from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.examples import TEST, TRAIN, VAL, Dataset, Examples, Table
from fedmed.data.fingerprint import Fingerprint
from fedmed.data.normalise import normaliser
from fedmed.data.prepare import prepare
from fedmed.data.shift import NoneShift
from fedmed.data.world import Audit, Share, World
from fedmed.engine.base import SiteImages
from fedmed.errors import Fault, UserError, refuse
from fedmed.experiment import Experiment
from fedmed.rng import seed_of
from fedmed.tasks import TASKS

CLIENTS = 10
"""Clients of a run that says nothing about their number."""


def site_world(experiment: Experiment, images: SiteImages, path: str) -> World:
    """What a site sees: its own file and nothing else; parts that the file does not name are drawn by patient.

    path: the site's file. Raises `UserError` where it does not hold what the run is about.
    """
    table = prepare(_dataset(experiment.dataset, path))
    _check_table(table, images, experiment.dataset.patch, f"dataset-path={path}")
    train, val, test = (_part(table, part) for part in (TRAIN, VAL, TEST))
    share = Share(train, val, test)
    if experiment.methods.needs_val:
        assert table.split is not None
        patient = None if table.patient is None else table.patient[table.split == VAL]
        share = share.halved(patient, seed_of(experiment.seed, "own val"))
    return _world(experiment, images, share, _nothing(images, table.examples.x.dtype))


def server_world(experiment: Experiment, images: SiteImages) -> World:
    """What the server sees: no client's images, and of dataset.path the test images (all, where it marks none).

    Raises `UserError` where settings of the run need the images of all sites in one place.
    """
    if faults := list(_faults(experiment, images)):
        raise UserError(*faults)
    nobody = _nothing(images, torch.uint8)
    path = str(vars(experiment.dataset)["path"])
    if not path:
        return _world(experiment, images, Share(nobody, nobody, nobody), nobody)
    table = prepare(replace(_dataset(experiment.dataset, path), val=0.0, test=0.0))
    _check_table(table, images, experiment.dataset.patch, "dataset.path")
    test_part = _part(table, TEST)
    test = test_part if len(test_part) else table.examples
    return _world(experiment, images, Share(nobody, nobody, nobody), test)


def _faults(experiment: Experiment, images: SiteImages) -> Iterator[Fault]:
    yield from _dataset_faults(experiment.dataset)
    for name, value in {"classes": images.classes, "channels": images.channels, "side": images.side}.items():
        if value is None:
            fix = f"No site shows its images: say what they all have, engine.{name}=."
            yield Fault(f"engine.{name}", "a number, as engine.sites=true", "null", fix)
    for group, neutral in (("annotation", CompleteAnnotation), ("shift", NoneShift)):
        if not isinstance(chosen := vars(experiment)[group], neutral):
            fix = "Sites annotate and scan as they do; simulate with engine.sites=false."
            yield Fault(group, "none of it, as engine.sites=true", target_of(type(chosen)), fix)
    if experiment.pooled:
        yield Fault("pooled", "false, as engine.sites=true", "true", "Images stay at their sites.")


def _dataset_faults(dataset: Dataset) -> Iterator[Fault]:
    options = vars(dataset)
    if "path" not in options:
        yield Fault("dataset", "npz, or a dataset of your own with a path", "another", "Each site reads one file.")
    if dataset.normalise == "dataset":
        fix = "Statistics of all images would have to leave the sites."
        yield Fault("dataset.normalise", "none or image, as engine.sites=true", "dataset", fix)
    if options.get("values") == "codes":
        fix = "Sites that lack a class would number the others differently: store class numbers from 0."
        yield Fault("dataset.values", "numbers, as engine.sites=true", "codes", fix)


def _dataset(dataset: Dataset, path: str) -> Dataset:
    given: dict[str, Any] = {"path": path}
    if vars(dataset).get("values") == "auto":
        given["values"] = "numbers"  # engine.classes says how many
    return replace(dataset, **given)


def _part(table: Table, part: int) -> Examples:
    assert table.split is not None
    return table.examples[torch.from_numpy(np.flatnonzero(table.split == part))]


def _check_table(table: Table, images: SiteImages, patch: int | None, where: str) -> None:
    channels, *sides = table.examples.x.shape[1:]
    got = {"task": table.task, "channels": channels, "side": patch or sides[0], "dimensions": len(sides)}
    expected = {name: value for name, value in images._asdict().items() if name != "classes"}
    if got != expected:
        raise refuse(where, f"images with {_listed(expected)}", _listed(got), "See engine.* and dataset.resize.")
    exact = table.task == "multilabel"
    if images.classes is None or table.classes > images.classes or (exact and table.classes != images.classes):
        fix = "All sites number their classes alike."
        raise refuse(where, f"{'' if exact else 'at most '}{images.classes} classes", table.classes, fix)


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _nothing(images: SiteImages, pixels: torch.dtype) -> Examples:
    """No images, of the right shape."""
    channels, sides = images.channels or 1, (images.side or 1,) * images.dimensions
    y = {
        "multiclass": torch.zeros(0, dtype=torch.int64),
        "multilabel": torch.zeros(0, images.classes or 1),
        "segmentation": torch.zeros(0, *sides, dtype=torch.uint8),
    }
    return Examples(torch.zeros(0, channels, *sides, dtype=pixels), y[images.task])


def _world(experiment: Experiment, images: SiteImages, share: Share, test: Examples) -> World:
    """A world in which every client holds the one share that this machine knows; a site is asked for its own only."""
    clients = experiment.clients or CLIENTS
    audit = Audit(np.zeros(images.classes or 1, np.int64), 1.0, np.ones(1), None)
    return World(
        task=TASKS[images.task](classes=images.classes or 1, tolerance=experiment.dataset.tolerance),
        shares=[share] * clients,
        test=test,
        test_patient=None,
        test_domains={},
        test_attributes={},
        normalise=normaliser(experiment.dataset.normalise, [test.x]),
        audit=[audit] * clients,
        parts=[],
        site_names=(),
        patch=experiment.dataset.patch,
        fingerprint=Fingerprint("", blake2b(test.x.numpy().tobytes() + test.y.numpy().tobytes()).hexdigest()),
    )
