import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmed.data.annotation import (
    Annotation,
    CompleteAnnotation,
    IncompleteMasksAnnotation,
    LabelNoiseAnnotation,
    MissingLabelsAnnotation,
)
from fedmed.data.examples import TEST, TRAIN, VAL, Table
from fedmed.data.partition import FilePartition, IidPartition, Partition, SitePartition, save
from fedmed.data.prepare import prepare
from fedmed.data.shift import NoneShift, ScannerShift, Shift
from fedmed.data.world import World, build_world
from fedmed.errors import UserError
from tests.data.tables import Given, rows_of, table

SITE = np.arange(240) % 3


def build(
    made: Table,
    *,
    partition: Partition | None = None,
    annotation: Annotation | None = None,
    shift: Shift | None = None,
    clients: int | None = 3,
    client_test: float = 0.2,
    seed: int = 0,
    **options: Any,
) -> World:
    return build_world(
        Given(table=made, **options),
        partition=partition or IidPartition(),
        annotation=annotation or CompleteAnnotation(),
        shift=shift or NoneShift(),
        clients=clients,
        client_test=client_test,
        seed=seed,
    )


def held(world: World) -> dict[str, list[list[int]]]:
    """Row numbers by part and client, from the images themselves."""
    return {part: [rows_of(getattr(s, part).x) for s in world.shares] for part in ("train", "val", "test")}


def test_every_row_is_held_once_in_the_part_that_the_split_says() -> None:
    made = table()
    world, split = build(made), prepare(Given(table=made)).split
    parts = held(world)
    assert sorted(chain(*parts["train"], *parts["test"])) == np.flatnonzero(split == TRAIN).tolist()
    assert sorted(chain(*parts["val"])) == np.flatnonzero(split == VAL).tolist()
    assert rows_of(world.test.x) == np.flatnonzero(split == TEST).tolist()


def test_labels_stay_with_their_images() -> None:
    made = table()
    world = build(made)
    for part in [p for s in world.shares for p in (s.train, s.val, s.test)] + [world.test]:
        assert torch.equal(part.y, made.examples.y[torch.tensor(rows_of(part.x))])


def test_client_test_images_are_a_share_of_training_images_apart_from_them() -> None:
    made = table()
    without, world = build(made, client_test=0.0), build(made)
    for before, now in zip(without.shares, world.shares, strict=True):
        assert len(before.test) == 0
        assert len(now.test) == pytest.approx(0.2 * len(before.train), abs=1)
        assert sorted(rows_of(now.train.x) + rows_of(now.test.x)) == sorted(rows_of(before.train.x))
        assert rows_of(now.val.x) == rows_of(before.val.x)


def test_parts_kept_in_a_file_make_the_same_world_under_any_seed(tmp_path: Path) -> None:
    made = table()
    world, file = build(made, client_test=0.0), tmp_path / "parts.npz"
    save(file, world.parts)
    again = build(made, partition=FilePartition(path=str(file)), clients=None, client_test=0.0, seed=9)
    assert held(again) == held(world)


def test_patients_are_never_divided() -> None:
    patient = np.arange(240) // 4
    world = build(table(patient=patient), client_test=0.3)
    owners: dict[int, set[Any]] = {}
    for part, clients in held(world).items():
        for client, rows in enumerate(clients):
            for row in rows:
                owners.setdefault(int(patient[row]), set()).add((client, part))
    for row in rows_of(world.test.x):
        owners.setdefault(int(patient[row]), set()).add("server")
    assert all(len(owner) == 1 for owner in owners.values())
    assert world.test_patient.tolist() == [int(patient[row]) for row in rows_of(world.test.x)]


def test_another_seed_deals_other_images_but_the_same_test_set() -> None:
    made = table()
    one, other = build(made, seed=0), build(made, seed=1)
    assert rows_of(one.test.x) == rows_of(other.test.x)
    assert held(one)["train"] != held(other)["train"]
    assert held(one) == held(build(made, seed=0))
    assert rows_of(build(made, split_seed=1).test.x) != rows_of(one.test.x)


def test_a_seed_of_the_partition_holds_it_still_while_the_run_seed_moves() -> None:
    made = table()
    worlds = [build(made, partition=IidPartition(seed=4), seed=seed, client_test=0.0) for seed in (0, 1)]
    assert held(worlds[0]) == held(worlds[1])


def test_a_held_out_site_is_on_the_server_and_at_no_client() -> None:
    made = table(site=SITE, site_names=("A", "B", "C"))
    world = build(made, partition=SitePartition(), clients=None, held_out_site="B")
    assert {int(SITE[row]) for row in rows_of(world.test.x)} == {1}
    assert len(world.test) == 80
    assert [audit.site for audit in world.audit] == [0, 2]
    for part in held(world).values():
        assert 1 not in {int(SITE[row]) for rows in part for row in rows}
    assert world.site_names == ("A", "B", "C")


def test_the_audit_counts_what_training_images_show_in_truth() -> None:
    made = table(task="multilabel")
    world = build(made, annotation=MissingLabelsAnnotation(missing=2), client_test=0.0)
    for share, audit in zip(world.shares, world.audit, strict=True):
        truth = made.examples.y[torch.tensor(rows_of(share.train.x))]
        assert audit.shown.tolist() == truth.sum(0).tolist()
        assert sorted(audit.annotated.tolist()) == [0, 0, 1, 1]
        assert audit.completeness == 0.5
        assert audit.site is None


def test_a_long_tail_is_shared_out_whole() -> None:
    world = build(table(), imbalance_factor=8.0, client_test=0.0)
    counts = sum(audit.shown for audit in world.audit)
    assert counts.max() / counts.min() == pytest.approx(8, rel=0.15)


@pytest.mark.parametrize(
    ("task", "annotation"),
    [
        ("multiclass", LabelNoiseAnnotation(rate=(1.0,))),
        ("multilabel", MissingLabelsAnnotation(missing=2)),
        ("multilabel", MissingLabelsAnnotation(missing=2, hidden="negative")),
        ("segmentation", IncompleteMasksAnnotation(completeness=(0.3,), problem="erode")),
    ],
    ids=["noise", "unseen", "negative", "masks"],
)
def test_annotation_touches_training_and_validation_labels_never_test_labels(task: str, annotation: Annotation) -> None:
    made = table(task=task, side=12)
    true, given = build(made), build(made, annotation=annotation)
    assert held(true) == held(given)
    assert torch.equal(true.test.y, given.test.y)
    assert given.test.seen is None
    for before, now in zip(true.shares, given.shares, strict=True):
        assert torch.equal(before.test.y, now.test.y)
        assert now.test.seen is None
        assert not torch.equal(before.train.y, now.train.y)
        assert not torch.equal(before.val.y, now.val.y)
        assert torch.equal(before.train.x, now.train.x)


def test_unseen_labels_are_marked_in_training_and_validation() -> None:
    world = build(table(task="multilabel"), annotation=MissingLabelsAnnotation(missing=2))
    for share in world.shares:
        assert share.train.seen.shape == share.train.y.shape
        assert share.val.seen.shape == share.val.y.shape
        assert torch.equal(share.train.seen[0], share.val.seen[0])
        assert not share.train.y[~share.train.seen].any()


def test_true_validation_labels_are_kept_beside_given_ones_only_where_these_differ() -> None:
    made = table()
    for share, true in zip(
        build(made, annotation=LabelNoiseAnnotation(rate=(0.9,))).shares, build(made).shares, strict=True
    ):
        assert true.audit is None
        assert share.audit is not None
        assert torch.equal(share.audit.y, true.val.y)
        assert not torch.equal(share.val.y, true.val.y)


@pytest.mark.parametrize("annotation", [CompleteAnnotation(), LabelNoiseAnnotation(rate=(0.5,))])
def test_true_training_labels_are_kept_for_audits_whether_or_not_they_are_the_given_ones(annotation: Any) -> None:
    made = table()
    for share in build(made, annotation=annotation).shares:
        assert share.truth is not None
        assert torch.equal(share.truth, made.examples.y[torch.tensor(rows_of(share.train.x))])


def test_a_shift_by_client_gives_all_images_of_a_client_the_same_scanner() -> None:
    world = build(_flat(table()), shift=ScannerShift(strength=0.8), client_test=0.3)
    means = [[float(part.x.float().mean()) for part in (s.train, s.val, s.test)] for s in world.shares]
    within = max(max(m) - min(m) for m in means)
    between = min(abs(a[0] - b[0]) for i, a in enumerate(means) for b in means[:i])
    assert between > 2 * within
    server = [float(image.float().mean()) for image in world.test.x]
    nearest = {min(range(3), key=lambda c: abs(means[c][0] - value)) for value in server}
    assert nearest == {0, 1, 2}, "the server's images take turns"


def test_a_shift_by_site_follows_the_site_wherever_the_image_is() -> None:
    made = table(site=SITE)
    rows = held(build(made))["train"]
    world = build(_flat(made), shift=ScannerShift(strength=0.8, by="site"))
    scanner: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for client, share in enumerate(world.shares):
        for image, row in zip(share.train.x, rows[client], strict=True):
            scanner[int(SITE[row])].append(float(image.float().mean()))
    means = sorted(np.mean(values) for values in scanner.values())
    assert max(np.std(values) for values in scanner.values()) < 0.3 * min(np.diff(means))


def test_a_shift_by_site_needs_sites() -> None:
    with pytest.raises(UserError, match=r"shift\.by: expected client"):
        build(table(), shift=ScannerShift(by="site"))


@pytest.mark.parametrize("shift", [NoneShift(), ScannerShift(strength=0.9)])
def test_building_a_world_leaves_the_dataset_as_it_was(shift: Shift) -> None:
    made = table()
    before = made.examples.x.clone(), made.examples.y.clone()
    world = build(made, shift=shift, annotation=LabelNoiseAnnotation(rate=(1.0,)))
    world.shares[0].train.x.zero_()
    assert torch.equal(made.examples.x, before[0])
    assert torch.equal(made.examples.y, before[1])


def test_normalisation_knows_clients_training_images_only() -> None:
    made = table()
    split = prepare(Given(table=made)).split
    odd = _with(made, "x", lambda x: x.index_fill_(0, torch.from_numpy(np.flatnonzero(split != TRAIN)), 255))
    one, other = build(made, normalise="dataset", client_test=0.0), build(odd, normalise="dataset", client_test=0.0)
    assert torch.equal(one.normalise.scale, other.normalise.scale)
    train = torch.cat([s.train.x for s in one.shares])
    assert one.normalise(train).mean().abs() < 1e-4


def test_shares_are_slices_of_one_tensor() -> None:
    world = build(table())
    assert len({s.train.x.untyped_storage().data_ptr() for s in world.shares}) == 1
    assert (world.channels, world.side) == (1, 8)


def test_the_task_carries_the_names_of_the_classes() -> None:
    world = build(table(class_names=("a", "b", "c", "d")))
    assert (world.task.kind, world.task.classes, world.task.names) == ("multiclass", 4, ("a", "b", "c", "d"))


def _flat(made: Table) -> Table:
    """All images alike, so that only the scanner tells them apart."""
    return _with(made, "x", lambda x: x.fill_(120))


def _with(made: Table, name: str, change: Callable[[torch.Tensor], object]) -> Table:
    tensor = getattr(made.examples, name).clone()
    change(tensor)
    return replace(made, examples=replace(made.examples, **{name: tensor}))


def test_a_partition_file_counts_rows_of_the_dataset(tmp_path: Path) -> None:
    made = table()
    first = build(made, client_test=0.0)
    assert rows_of(torch.cat([share.train.x for share in first.shares])) != list(range(len(first.parts[0])))
    for share, rows in zip(first.shares, first.parts, strict=True):
        assert sorted(rows_of(torch.cat([share.train.x, share.val.x]))) == rows.tolist()
    save(tmp_path / "split.json", first.parts)
    again = build(made, partition=FilePartition(path=str(tmp_path / "split.json")), clients=None, client_test=0.0)
    assert held(again) == held(first)


def test_a_partition_file_names_no_row_that_a_client_may_not_hold(tmp_path: Path) -> None:
    made = table(site=SITE, site_names=("A", "B", "C"))
    test = int(rows_of(build(made).test.x)[0])
    path = tmp_path / "split.json"
    for rows, options, said in (
        ([[240], [1]], {}, "rows from 0 to 239, got 240 to 240 at client 0"),
        ([[0], [test]], {}, f"row {test} at client 1, a test row"),
        ([[1], [0]], {"held_out_site": "A"}, "row 0 at client 1, a test row"),
    ):
        path.write_text(json.dumps(rows), encoding="utf-8")
        with pytest.raises(UserError, match=said):
            build(made, partition=FilePartition(path=str(path)), clients=None, **options)
