"""The world of a run: who holds which images, with which labels, seen through which scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed import rng
from fedmed.data.annotation import Annotation
from fedmed.data.attributes import Attribute
from fedmed.data.client_rows import ClientRows, client_rows
from fedmed.data.domains import domains_of, domains_of_test, shift_domains
from fedmed.data.examples import TEST, TRAIN, Dataset, Examples, Indices, Table
from fedmed.data.fingerprint import Fingerprint, fingerprint
from fedmed.data.given_labels import GivenLabels
from fedmed.data.mapped_images import MappedImages
from fedmed.data.normalise import Normalise, normaliser
from fedmed.data.partition import Partition
from fedmed.data.prepare import prepare, presence, split_of
from fedmed.data.shift import Shift
from fedmed.data.splits import draw_splits
from fedmed.tasks import TASKS, Task


@dataclass(frozen=True, slots=True)
class Share:
    """What one client holds: training and validation images as annotated, test images with true labels.

    audit: the validation images with true labels, where these differ from the given ones; never for choosing a round.
    truth: the true labels of the training images, where all are known; never for training.
    own_val: the half of the validation images that a method may look at, not in `val`; None where none needs it.
    """

    train: Examples
    val: Examples
    test: Examples
    audit: Examples | None = None
    truth: Tensor | None = None
    own_val: Examples | None = None

    def halved(self, patient: Indices | None, seed: int) -> Share:
        """The share with half of its validation images in `own_val`, no patient in both halves.

        patient: whose the validation images are (N,), or None.
        """
        split = draw_splits(None, val=0, test=0.5, seed=seed, stratum=None, patient=patient, rows=len(self.val))
        judged, own = (torch.from_numpy(np.flatnonzero(split == part)) for part in (TRAIN, TEST))
        audit = None if self.audit is None else self.audit[judged]
        return replace(self, val=self.val[judged], own_val=self.val[own], audit=audit)


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known about one client and never reaches a method.

    shown: how many of its training images show each class in truth (C,). completeness: see `GivenLabels`.
    annotated: share of its training entries that are annotated, per finding (C,), or for all classes alike (1,).
    site: the site of all its images, or None. kind: how it differs from others by design; empty where it does not.
    """

    shown: NDArray[np.int64]
    completeness: float
    annotated: NDArray[np.float64]
    site: int | None
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a run knows about its data.

    shares: by client. test: the server's test images; test_patient: whose they are (N,), or None.
    test_domains: which rows of `test` are of which domain, by its name: the clients, or groups of them, where `shift`
        tells them apart, else the sites; empty where neither is known.
    test_attributes: what else is known of the rows of `test`, by its name.
    parts: each client's rows of the dataset, as a partition file keeps them.
    patch: side of what is cut from images to train on, or None.
    fingerprint: of the images and labels, as they were before anyone divided or annotated them.
    """

    task: Task
    shares: Sequence[Share]
    test: Examples
    test_patient: Indices | None
    test_domains: Mapping[str, Indices]
    test_attributes: Mapping[str, Attribute]
    normalise: Normalise
    audit: Sequence[Audit]
    parts: Sequence[Indices]
    site_names: tuple[str, ...]
    fingerprint: Fingerprint
    patch: int | None = None

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.test.x.shape[1])

    @property
    def dimensions(self) -> int:
        """Of the images: 2, or 3 for volumes."""
        return self.test.x.dim() - 2

    @property
    def side(self) -> int:
        """Side in pixels of the images that a net is trained on."""
        return self.patch or int(self.test.x.shape[-1])


def build_world(
    dataset: Dataset,
    *,
    partition: Partition,
    annotation: Annotation,
    shift: Shift,
    clients: int | None,
    client_test: float,
    seed: int,
    own_val: bool = False,
) -> World:
    """Loads the images and gives every client its own; raises UserError where data and options do not fit.

    clients: how many (None: what the partition makes of the data). client_test: share of a client's training images
    that it keeps for testing. seed: the run's. own_val: whether half of each client's validation images are for its
    methods to look at.
    """
    table = prepare(dataset)
    annotation = annotation.read(dataset, table)
    task = TASKS[table.task](classes=table.classes, names=table.class_names, tolerance=dataset.tolerance)
    shown = presence(table.examples, table.task, table.classes)
    held, parts = client_rows(table, shown, partition, clients, client_test, seed)
    held = [h._replace(train=annotation.held(h.train, k, len(held), seed)) for k, h in enumerate(held)]
    test = np.flatnonzero(split_of(table) == TEST)
    shares, whole, rest = _share_out(_seen(table, held, test, shift, seed), held)
    _rename(shares, annotation, task)
    given = annotation.annotate(whole, [h.given for h in held], task, seed)
    shares = [_as_given(share, g) for share, g in zip(shares, given, strict=True)]
    kinds = _kinds(annotation, shift, len(held))
    if own_val:
        shares = _halved(shares, [_patients(table, h.val) for h in held], seed)
    return World(
        task=task,
        shares=shares,
        test=rest,
        test_patient=_patients(table, test),
        test_domains=domains_of_test(table, test, shift, len(held)),
        test_attributes={name: found[test] for name, found in table.attributes.items()},
        normalise=normaliser(dataset.normalise, [share.train.x for share in shares]),
        audit=[_audit(*each, table, shown) for each in zip(held, shares, given, kinds, strict=True)],
        parts=parts,
        site_names=table.site_names,
        fingerprint=fingerprint(table),
        patch=dataset.patch,
    )


def _seen(table: Table, held: Sequence[ClientRows], test: Indices, shift: Shift, seed: int) -> Examples:
    """All images in order of client, then the server's, as their scanners show them; on the disk if they are there."""
    rows = torch.from_numpy(np.concatenate([*(rows for h in held for rows in h), test]))
    domains = domains_of(table, held, test, shift)
    if isinstance(table.examples.x, MappedImages) and not len(domains):
        labels = replace(table.examples, x=table.examples.y)[rows]
        return replace(labels, x=table.examples.x.chosen(rows))
    examples = table.examples[rows]
    shift_domains(examples.x, domains, shift, seed)
    return examples


def _share_out(examples: Examples, held: Sequence[ClientRows]) -> tuple[list[Share], list[Examples], Examples]:
    """Every client's slices, its training and validation slice as one, and what is left for the server: no copies."""
    shares, whole, start = [], [], 0
    for h in held:
        train, val, test = (start + int(end) for end in np.cumsum([len(rows) for rows in h]))
        shares.append(Share(examples[start:train], examples[train:val], examples[val:test]))
        whole.append(examples[start:val])
        start = test
    return shares, whole, examples[start:]


def _rename(shares: Sequence[Share], annotation: Annotation, task: Task) -> None:
    """Puts true labels into each client's own convention, in place: shares are views of a copy."""
    for client, share in enumerate(shares):
        for y in (share.train.y, share.val.y, share.test.y):
            y.copy_(annotation.convention(y, client, len(shares), task))


def _as_given(share: Share, given: GivenLabels) -> Share:
    """The share with the labels that its annotator gave."""
    n = len(share.train)
    seen = given.seen
    train = Examples(share.train.x, given.y[:n], None if seen is None else seen[:n])
    val = Examples(share.val.x, given.y[n:], None if seen is None else seen[n:], share.val.spacing)
    audit = share.val if _differ(val, share.val) else None
    truth = share.train.y if share.train.seen is None else None
    return Share(train, val, share.test, audit, truth)


def _differ(given: Examples, true: Examples) -> bool:
    return (given.seen is None) != (true.seen is None) or not torch.equal(given.y, true.y)


def _halved(shares: Sequence[Share], patients: Sequence[Indices | None], seed: int) -> list[Share]:
    """The shares with half of their validation images in `own_val`. patients: whose these are, by client."""
    pairs = enumerate(zip(shares, patients, strict=True))
    return [share.halved(patient, rng.seed_of(seed, "own val", client)) for client, (share, patient) in pairs]


def _patients(table: Table, rows: Indices) -> Indices | None:
    return None if table.patient is None else table.patient[rows]


def _kinds(annotation: Annotation, shift: Shift, clients: int) -> list[str]:
    """How each client differs from others by design, in words; empty where it does not."""
    made = [[one.distinction(client, clients) for one in (annotation, shift)] for client in range(clients)]
    return [" · ".join(filter(None, words)) for words in made]


def _audit(
    held: ClientRows, share: Share, given: GivenLabels, kind: str, table: Table, shown: NDArray[np.bool_]
) -> Audit:
    seen = share.train.seen
    if seen is None:
        annotated = np.ones(1)
    else:
        annotated = (
            seen.double().flatten(1).mean(0).numpy() if table.task == "multilabel" else np.array([seen.double().mean()])
        )
    sites = set() if table.site is None else set(table.site[held.train].tolist())
    return Audit(
        shown[held.train].sum(0), given.completeness, annotated, sites.pop() if len(sites) == 1 else None, kind
    )
