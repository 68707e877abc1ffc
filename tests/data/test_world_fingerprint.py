"""Digests of images and labels, which tell whether two runs saw the same data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmed.data.annotation import CompleteAnnotation, MissingLabelsAnnotation
from fedmed.data.examples import TEST, TRAIN, VAL, Table
from fedmed.data.partition import DirichletPartition, IidPartition
from fedmed.data.prepare import prepare
from fedmed.data.shift import NoneShift, ScannerShift
from fedmed.data.world import World, build_world
from tests.data.tables import Given, table

PARTS = {"train": TRAIN, "val": VAL, "test": TEST}

PLAIN = {"partition": IidPartition(), "annotation": CompleteAnnotation(), "shift": NoneShift(), "seed": 0}
ODD = {"partition": DirichletPartition(), "annotation": MissingLabelsAnnotation(), "shift": ScannerShift(), "seed": 3}


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        (lambda t: t, False),
        (lambda t: replace(t, class_names=("a", "b", "c", "d")), False),
        (lambda t: _with(t, "x", lambda x: x[0, 0, 5, 5].add_(1)), True),
        (lambda t: _with(t, "y", lambda y: y[0].add_(1)), True),
        (lambda t: replace(t, examples=t.examples[torch.arange(239)]), True),
    ],
    ids=["nothing", "names", "a pixel", "a label", "a row less"],
)
def test_the_fingerprint_moves_with_any_image_or_label(change: Callable[[Table], Table], moves: bool) -> None:
    assert (build(change(table())).fingerprint != build(table()).fingerprint) == moves


def test_the_test_set_has_a_fingerprint_of_its_own() -> None:
    made = table()
    rows = {name: int(np.flatnonzero(prepare(Given(table=made)).split == part)[0]) for name, part in PARTS.items()}
    before = build(made).fingerprint
    moved = {name: build(_with(table(), "x", lambda x, i=row: x[i].add_(1))).fingerprint for name, row in rows.items()}
    changed = {name: (found.data != before.data, found.test != before.test) for name, found in moved.items()}
    assert changed == {"train": (True, False), "val": (True, False), "test": (False, True)}


def test_the_fingerprint_is_that_of_the_data_not_of_the_world_made_of_it() -> None:
    made = table(task="multilabel")
    assert build(made, odd=True).fingerprint == build(made).fingerprint


def build(made: Table, *, odd: bool = False) -> World:
    return build_world(Given(table=made), clients=3, client_test=0.2, **(ODD if odd else PLAIN))  # type: ignore[arg-type]


def _with(made: Table, name: str, change: Callable[[torch.Tensor], object]) -> Table:
    tensor = getattr(made.examples, name).clone()
    change(tensor)
    return replace(made, examples=replace(made.examples, **{name: tensor}))
