from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.annotation import (
    Annotation,
    CompleteAnnotation,
    FreeRiderAnnotation,
    IncompleteMasksAnnotation,
    LabelNoiseAnnotation,
    MissingLabelsAnnotation,
)
from fedmed.data.examples import Examples
from fedmed.data.given_labels import GivenLabels
from fedmed.errors import UserError
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task

CLASSES, FINDINGS, ORGANS = MultiClass(classes=5), MultiLabel(classes=8), Segmentation(classes=3)
PROBLEMS: list[tuple[Annotation, Task]] = [
    (MissingLabelsAnnotation(), FINDINGS),
    (MissingLabelsAnnotation(hidden="negative"), FINDINGS),
    (MissingLabelsAnnotation(scheme="one"), FINDINGS),
    (MissingLabelsAnnotation(scheme="random"), FINDINGS),
    (IncompleteMasksAnnotation(), ORGANS),
    (IncompleteMasksAnnotation(draw="bernoulli"), ORGANS),
    (IncompleteMasksAnnotation(problem="drop_classes"), ORGANS),
    (IncompleteMasksAnnotation(problem="erode"), ORGANS),
    (IncompleteMasksAnnotation(problem="shift"), ORGANS),
    (LabelNoiseAnnotation(), FINDINGS),
    (LabelNoiseAnnotation(), CLASSES),
    (LabelNoiseAnnotation(kind="pairwise"), CLASSES),
    (FreeRiderAnnotation(), CLASSES),
    (FreeRiderAnnotation(), FINDINGS),
]
NAMES = [f"{annotation} {task.kind}" for annotation, task in PROBLEMS]


def labels(task: Task, count: int, rng: torch.Generator) -> Tensor:
    if task.kind == "multiclass":
        return torch.randint(task.classes, (count,), generator=rng)
    if task.kind == "multilabel":
        return (torch.rand(count, task.classes, generator=rng) < 0.3).float()
    coarse = torch.randint(task.classes, (count, 5, 5), generator=rng).to(torch.uint8)
    return coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)


def a_world(task: Task, clients: int = 8, count: int = 12) -> tuple[list[Examples], list[np.ndarray]]:
    rng = torch.Generator().manual_seed(0)
    held = [Examples(torch.rand(count, 1, 20, 20, generator=rng), labels(task, count, rng)) for _ in range(clients)]
    return held, np.split(np.random.default_rng(0).permutation(clients * count), clients)


def same(a: list[GivenLabels], b: list[GivenLabels]) -> bool:
    return all(
        torch.equal(x.y, y.y) and (x.seen is y.seen or torch.equal(x.seen, y.seen))  # type: ignore[arg-type]
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize(("annotation", "task"), PROBLEMS, ids=NAMES)
def test_what_holds_for_every_problem(annotation: Annotation, task: Task) -> None:
    held, rows = a_world(task)
    before = [client.y.clone() for client in held]
    given = annotation.annotate(held, rows, task, 0)
    assert all(torch.equal(client.y, y) for client, y in zip(held, before, strict=True))
    assert same(given, annotation.annotate(held, rows, task, 0))
    assert not same(given, annotation.annotate(held, rows, task, 1)) or annotation == MissingLabelsAnnotation(
        scheme="one"
    )
    assert same(given, replace(annotation, seed=0).annotate(held, rows, task, 5))
    for client, one in zip(held, given, strict=True):
        assert (one.y.dtype, one.y.shape) == (client.y.dtype, client.y.shape)
        assert 0 <= one.completeness <= 1
        if one.seen is not None:
            assert one.seen.dtype == torch.bool
            assert not one.y[~one.seen].any()


@pytest.mark.parametrize(("annotation", "task"), PROBLEMS, ids=NAMES)
def test_the_order_of_images_does_not_matter(annotation: Annotation, task: Task) -> None:
    held, rows = a_world(task)
    order = torch.arange(12).flip(0)
    turned = [client[order] for client in held]
    given = annotation.annotate(held, rows, task, 0)
    again = annotation.annotate(turned, [own[::-1].copy() for own in rows], task, 0)
    assert all(torch.equal(one.y[order], other.y) for one, other in zip(given, again, strict=True))


@pytest.mark.parametrize(("annotation", "task"), PROBLEMS, ids=NAMES)
def test_unseen_entries_stay_unseen(annotation: Annotation, task: Task) -> None:
    held, rows = a_world(task)
    known = torch.arange(12) % 3 > 0
    partly = []
    for client in held:
        seen = known.view(-1, *[1] * (client.y.ndim - 1))
        partly.append(Examples(client.x, client.y * seen, seen))
    for one in annotation.annotate(partly, rows, task, 0):
        assert one.seen is not None
        seen = one.seen.expand_as(one.y)
        assert not seen[~known].any()
        assert not one.y[~seen].any()


@pytest.mark.parametrize("task", [CLASSES, FINDINGS, ORGANS])
def test_complete_annotation_copies_nothing(task: Task) -> None:
    held, rows = a_world(task)
    for client, one in zip(held, CompleteAnnotation().annotate(held, rows, task, 0), strict=True):
        assert one.y is client.y
        assert one.seen is client.seen
        assert one.completeness == 1


@pytest.mark.parametrize(
    ("annotation", "task"),
    [(MissingLabelsAnnotation(), CLASSES), (IncompleteMasksAnnotation(), FINDINGS), (LabelNoiseAnnotation(), ORGANS)],
)
def test_another_task_is_refused(annotation: Annotation, task: Task) -> None:
    with pytest.raises(UserError, match=f"got {task.kind}. Use annotation=complete"):
        annotation.annotate(*a_world(task), task, 0)


def annotators(given: list[GivenLabels]) -> np.ndarray:
    """Which client annotates which finding, (clients, findings); every image of a client alike."""
    seen = [one.seen for one in given if one.seen is not None]
    assert all((mask == mask[:1]).all() for mask in seen)
    return torch.stack([mask[0] for mask in seen]).numpy()


@pytest.mark.parametrize("missing", [None, 0, 3, 6])
@pytest.mark.parametrize("seed", range(5))
def test_missing_labels_leave_every_finding_an_annotator(missing: int | None, seed: int) -> None:
    given = MissingLabelsAnnotation(missing=missing).annotate(*a_world(FINDINGS, clients=4), FINDINGS, seed)
    annotated = annotators(given)
    own = 4 if missing is None else 8 - missing
    assert (annotated.sum(1) == own).all()
    assert annotated.any(0).all()
    assert all(one.completeness == own / 8 for one in given)


def test_random_labels_may_leave_a_finding_without_annotator() -> None:
    world = a_world(FINDINGS, clients=4)
    drawn = [
        annotators(MissingLabelsAnnotation(scheme="random", missing=6).annotate(*world, FINDINGS, s)) for s in range(5)
    ]
    assert all((one.sum(1) == 2).all() for one in drawn)
    assert not all(one.any(0).all() for one in drawn)


def test_one_label_each() -> None:
    given = MissingLabelsAnnotation(scheme="one").annotate(*a_world(FINDINGS), FINDINGS, 0)
    assert np.array_equal(annotators(given), np.eye(8, dtype=bool))


def test_hidden_labels_are_unseen_or_counted_as_negative() -> None:
    held, rows = a_world(FINDINGS)
    unseen = MissingLabelsAnnotation().annotate(held, rows, FINDINGS, 0)
    negative = MissingLabelsAnnotation(hidden="negative").annotate(held, rows, FINDINGS, 0)
    for client, a, b in zip(held, unseen, negative, strict=True):
        assert a.seen is not None
        assert b.seen is None
        assert torch.equal(a.y, b.y)
        assert torch.equal(a.y[a.seen], client.y[a.seen])


@pytest.mark.parametrize(
    ("annotation", "clients", "message"),
    [
        (MissingLabelsAnnotation(missing=8), 8, "annotation.missing: expected at most 7 of 8 findings, got 8"),
        (MissingLabelsAnnotation(missing=7), 5, "5 clients that annotate 1 each to cover 8 findings"),
        (MissingLabelsAnnotation(scheme="one"), 5, "5 clients that annotate 1 each to cover 8 findings"),
        (LabelNoiseAnnotation(kind="pairwise"), 5, "annotation.kind: expected symmetric"),
        (LabelNoiseAnnotation(rate=(0.1, 1.2)), 5, "annotation.rate: expected 1 value or 5"),
        (LabelNoiseAnnotation(rate=(0.1, 1.2)), 2, "annotation.rate: expected values from 0 to 1, got 1.2"),
    ],
)
def test_what_cannot_be_is_refused(annotation: Annotation, clients: int, message: str) -> None:
    with pytest.raises(UserError) as error:
        annotation.annotate(*a_world(FINDINGS, clients), FINDINGS, 0)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (IncompleteMasksAnnotation(completeness=(0.5, 0.6)), "expected 1 value or 8, one per client, got 2"),
        (IncompleteMasksAnnotation(completeness=(0.0,)), "expected values above 0, got 0"),
        (IncompleteMasksAnnotation(completeness=(float("nan"),)), "expected values from 0 to 1, got nan"),
        (IncompleteMasksAnnotation(problem="drop_classes"), "at least 2 foreground classes to drop one, got 1"),
    ],
)
def test_impossible_masks_are_refused(annotation: Annotation, message: str) -> None:
    task = Segmentation(classes=2)
    with pytest.raises(UserError) as error:
        annotation.annotate(*a_world(task), task, 0)
    assert message in str(error.value)


@pytest.mark.parametrize("problem", ["drop_objects", "drop_small", "drop_faint", "drop_classes", "erode", "shift"])
def test_complete_masks_are_the_masks_themselves(problem: str) -> None:
    held, rows = a_world(ORGANS)
    annotation = IncompleteMasksAnnotation(problem=problem, completeness=(1.0,))  # type: ignore[arg-type]
    given = annotation.annotate(held, rows, ORGANS, 0)
    assert all(one.y is client.y and one.completeness == 1 for client, one in zip(held, given, strict=True))


@pytest.mark.parametrize("problem", ["drop_objects", "drop_small", "drop_faint", "drop_classes", "erode"])
def test_incomplete_masks_are_one_sided(problem: str) -> None:
    held, rows = a_world(ORGANS)
    annotation = IncompleteMasksAnnotation(problem=problem, completeness=(0.5,))  # type: ignore[arg-type]
    for client, one in zip(held, annotation.annotate(held, rows, ORGANS, 0), strict=True):
        assert ((one.y == client.y) | (one.y == 0)).all()
        assert one.completeness == pytest.approx(0.5, abs=0.1)
        assert (one.y > 0).any()


def test_shift_is_not_one_sided_and_overlaps_by_its_completeness() -> None:
    held, rows = a_world(ORGANS)
    given = IncompleteMasksAnnotation(problem="shift", completeness=(0.6,)).annotate(held, rows, ORGANS, 0)
    for client, one in zip(held, given, strict=True):
        overlap = (one.y == client.y)[client.y > 0].float().mean().item()
        assert overlap == pytest.approx(one.completeness)
        assert overlap == pytest.approx(0.6, abs=0.1)
        assert (one.y[client.y == 0] > 0).any()


def test_a_client_leaves_out_the_same_classes_in_every_image() -> None:
    held, rows = a_world(ORGANS)
    given = IncompleteMasksAnnotation(problem="drop_classes", completeness=(0.5,)).annotate(held, rows, ORGANS, 0)
    assert all(len(one.y.unique()) == 2 for one in given)


def test_clients_get_every_degree_in_an_order_that_the_seed_decides() -> None:
    held, rows = a_world(ORGANS)

    def ranks(annotation: IncompleteMasksAnnotation, seed: int) -> list[int]:
        realised = [one.completeness for one in annotation.annotate(held, rows, ORGANS, seed)]
        assert max(realised) == 1
        assert min(realised) == pytest.approx(0.4, abs=0.05)
        return np.argsort(realised).tolist()

    assert ranks(IncompleteMasksAnnotation(problem="erode", permute=False), 0) == list(range(8))
    assert ranks(IncompleteMasksAnnotation(problem="erode"), 0) != ranks(IncompleteMasksAnnotation(problem="erode"), 1)


def test_equal_masks_of_a_client_lose_different_objects() -> None:
    held, rows = a_world(ORGANS, clients=1)
    alike = Examples(held[0].x, held[0].y[:1].repeat(12, 1, 1))
    given = IncompleteMasksAnnotation(completeness=(0.5,)).annotate([alike], rows, ORGANS, 0)
    assert len(given[0].y.unique(dim=0)) > 6


def test_moved_boundaries_stay_out_of_unseen_pixels() -> None:
    held, rows = a_world(ORGANS, clients=1)
    seen = torch.arange(20) < 10  # the left half of every image
    half = Examples(held[0].x, held[0].y * seen, seen.expand(12, 20, 20))
    given = IncompleteMasksAnnotation(problem="shift", completeness=(0.5,)).annotate([half], rows, ORGANS, 0)
    assert not given[0].y[..., 10:].any()


def test_an_image_of_one_client_does_not_depend_on_its_other_images() -> None:
    held, rows = a_world(ORGANS)
    annotation = IncompleteMasksAnnotation(completeness=(0.5,))
    whole = annotation.annotate(held, rows, ORGANS, 0)
    half = annotation.annotate([client[:6] for client in held], [own[:6] for own in rows], ORGANS, 0)
    assert all(torch.equal(one.y[:6], other.y) for one, other in zip(whole, half, strict=True))


@pytest.mark.parametrize("task", [CLASSES, FINDINGS])
def test_noise_has_its_rate_and_its_completeness(task: Task) -> None:
    held, rows = a_world(task, clients=2, count=3000)
    given = LabelNoiseAnnotation(rate=(0.0, 0.3)).annotate(held, rows, task, 0)
    assert torch.equal(given[0].y, held[0].y)
    assert given[0].completeness == 1
    wrong = (given[1].y != held[1].y).float().mean().item()
    assert wrong == pytest.approx(0.3, abs=0.03)
    assert given[1].completeness == pytest.approx(1 - wrong)


def test_symmetric_noise_reaches_every_other_class_and_pairwise_the_next() -> None:
    held, rows = a_world(CLASSES, clients=1, count=3000)
    step = (LabelNoiseAnnotation(rate=(1.0,)).annotate(held, rows, CLASSES, 0)[0].y - held[0].y) % 5
    assert step.bincount(minlength=5).tolist() == pytest.approx([0, 750, 750, 750, 750], abs=100)
    step = (LabelNoiseAnnotation(rate=(1.0,), kind="pairwise").annotate(held, rows, CLASSES, 0)[0].y - held[0].y) % 5
    assert (step == 1).all()
