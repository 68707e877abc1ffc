"""The centralised reference holds what clients hold, labelled as they labelled it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fedmed.data.annotation import IncompleteMasksAnnotation, MissingLabelsAnnotation
from fedmed.data.examples import Examples
from fedmed.data.partition import IidPartition
from fedmed.data.pooled import pooled
from fedmed.data.shift import NoneShift
from fedmed.data.world import World, build_world
from fedmed.datasets.synthetic_multilabel import SyntheticMultilabel
from fedmed.datasets.synthetic_segmentation import SyntheticSegmentation

WORLDS = {
    "missing labels": (SyntheticMultilabel(images=60, test_images=10), MissingLabelsAnnotation(missing=2)),
    "incomplete masks": (
        SyntheticSegmentation(images=24, test_images=6, side=32),
        IncompleteMasksAnnotation(completeness=(0.5, 1.0, 0.7)),
    ),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    dataset, annotation = WORLDS[request.param]
    whole: Any = {"partition": IidPartition(), "annotation": annotation, "shift": NoneShift()}
    return build_world(dataset, clients=3, client_test=0.2, seed=0, **whole)


def test_one_client_holds_every_image_with_the_labels_given(world: World) -> None:
    (share,) = pooled(world).shares
    for name in ("train", "val", "test"):
        parts: list[Examples] = [getattr(s, name) for s in world.shares]
        held: Examples = getattr(share, name)
        assert torch.equal(held.x, torch.cat([p.x for p in parts]))
        assert torch.equal(held.y, torch.cat([p.y for p in parts]))
        starts = [sum(map(len, parts[:k])) for k in range(len(parts))]
        for start, part in zip(starts, parts, strict=True):
            kept = held[start : start + len(part)]
            assert (kept.seen is None) == all(p.seen is None for p in parts)
            if kept.seen is not None:
                assert torch.equal(kept.seen, torch.ones_like(kept.seen) if part.seen is None else part.seen)


def test_true_labels_stay_beside_the_given_ones(world: World) -> None:
    (share,) = pooled(world).shares
    truths = [s.truth for s in world.shares if s.truth is not None]
    assert share.truth is not None
    assert torch.equal(share.truth, torch.cat(truths))
    assert share.audit is not None
    true = [s.val if s.audit is None else s.audit for s in world.shares]
    assert torch.equal(share.audit.y, torch.cat([e.y for e in true]))


def test_the_audit_is_that_of_all_clients_together(world: World) -> None:
    (audit,) = pooled(world).audit
    sizes = [len(s.train) for s in world.shares]
    expected = sum(a.completeness * n for a, n in zip(world.audit, sizes, strict=True)) / sum(sizes)
    assert audit.completeness == pytest.approx(expected)
    assert (audit.shown == sum(a.shown for a in world.audit)).all()


def test_the_servers_test_images_stay(world: World) -> None:
    assert pooled(world).test is world.test
