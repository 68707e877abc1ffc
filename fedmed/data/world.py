"""The world of a run: who holds which images, with which labels, seen through which scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed import rng
from fedmed.data.annotation import Annotation
from fedmed.data.examples import TEST, TRAIN, VAL, Dataset, Examples, Indices, Table, name_of
from fedmed.data.given_labels import GivenLabels
from fedmed.data.normalise import Normalise, normaliser
from fedmed.data.partition import ImageMetadata, Partition, divide
from fedmed.data.prepare import prepare, presence
from fedmed.data.shift import NoneShift, Shift
from fedmed.data.splits import draw_splits
from fedmed.errors import refuse
from fedmed.tasks import TASKS, Task

CHUNK = 1024
"""Images of which one copy at a time is made for their digest."""


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


class Fingerprint(NamedTuple):
    """Digests of images and labels: those to train and validate on, and the server's test set."""

    data: str
    test: str


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a run knows about its data.

    shares: by client. test: the server's test images; test_patient: whose they are (N,), or None.
    test_domains: which rows of `test` are of which domain, by its name: the clients, or groups of them, where `shift`
        tells them apart, else the sites; empty where neither is known.
    parts: each client's rows of the dataset, as a partition file keeps them.
    fingerprint: of the images and labels, as they were before anyone divided or annotated them.
    """

    task: Task
    shares: Sequence[Share]
    test: Examples
    test_patient: Indices | None
    test_domains: Mapping[str, Indices]
    normalise: Normalise
    audit: Sequence[Audit]
    parts: Sequence[Indices]
    site_names: tuple[str, ...]
    fingerprint: Fingerprint

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.test.x.shape[1])

    @property
    def side(self) -> int:
        """Side of the images in pixels."""
        return int(self.test.x.shape[-1])


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
    task = TASKS[table.task](classes=table.classes, names=table.class_names)
    shown = presence(table.examples, table.task, table.classes)
    held, parts = _client_rows(table, shown, partition, clients, client_test, seed)
    held = [h._replace(train=annotation.held(h.train, k, len(held), seed)) for k, h in enumerate(held)]
    test = np.flatnonzero(_split(table) == TEST)
    examples = table.examples[torch.from_numpy(np.concatenate([*(rows for h in held for rows in h), test]))]
    _shift(examples.x, _domains(table, held, test, shift), shift, seed)
    shares, whole, rest = _share_out(examples, held)
    for client, share in enumerate(shares):  # in place: the labels are a copy of the dataset's, and shares are views
        for y in (share.train.y, share.val.y, share.test.y):
            y.copy_(annotation.convention(y, client, len(shares), task))
    given = annotation.annotate(whole, [h.given for h in held], task, seed)
    shares = [_as_given(share, g) for share, g in zip(shares, given, strict=True)]
    kinds = [
        " · ".join(filter(None, (one.distinction(k, len(held)) for one in (annotation, shift))))
        for k in range(len(held))
    ]
    if own_val:
        owners = [None if table.patient is None else table.patient[h.val] for h in held]
        pairs = enumerate(zip(shares, owners, strict=True))
        shares = [share.halved(owner, rng.seed_of(seed, "own val", client)) for client, (share, owner) in pairs]
    return World(
        task=task,
        shares=shares,
        test=rest,
        test_patient=None if table.patient is None else table.patient[test],
        test_domains=_test_domains(table, test, shift, len(held)),
        normalise=normaliser(dataset.normalise, [share.train.x for share in shares]),
        audit=[_audit(*each, table, shown) for each in zip(held, shares, given, kinds, strict=True)],
        parts=parts,
        site_names=table.site_names,
        fingerprint=_fingerprint(table),
    )


class _ClientRows(NamedTuple):
    """One client's rows in the table."""

    train: Indices
    val: Indices
    test: Indices

    @property
    def given(self) -> Indices:
        return np.concatenate([self.train, self.val])


def _split(table: Table) -> NDArray[np.int8]:
    if table.split is None:
        raise ValueError("the table has not been prepared")
    return table.split


def _client_rows(
    table: Table, shown: NDArray[np.bool_], partition: Partition, clients: int | None, client_test: float, seed: int
) -> tuple[list[_ClientRows], list[Indices]]:
    """Each client's rows, its own test rows taken out of its training rows; and the partition they come from."""
    split = _split(table)
    rows = np.flatnonzero((split == TRAIN) | (split == VAL))
    labels = {"multiclass": table.examples.y.numpy(), "multilabel": shown, "segmentation": shown[:, 1:]}[table.task]
    pool = replace(ImageMetadata(labels, split == TRAIN, table.site, table.patient)[rows], split=split)
    parts = [rows[part] for part in divide(partition, pool, clients, seed)]
    seeds = [rng.seed_of(seed, "client test", client) for client in range(len(parts))]
    return [_own_test(table, part, client_test, s) for part, s in zip(parts, seeds, strict=True)], parts


def _own_test(table: Table, rows: Indices, client_test: float, seed: int) -> _ClientRows:
    split = _split(table)[rows]
    if client_test:
        patient = None if table.patient is None else table.patient[rows]
        split = draw_splits(split, val=0, test=client_test, seed=seed, stratum=None, patient=patient)
    return _ClientRows(rows[split == TRAIN], rows[split == VAL], rows[split == TEST])


def _domains(table: Table, held: Sequence[_ClientRows], test: Indices, shift: Shift) -> Indices:
    """The domain of every row in order of client; the server's test images take turns where clients are the domains."""
    if isinstance(shift, NoneShift):
        return np.empty(0, np.int64)
    if shift.by != "site":
        if shift.by == "group" and shift.groups > len(held):
            raise refuse("shift.groups", f"at most {len(held)}, the number of clients", shift.groups)
        domains = shift.domains(len(held))
        return np.concatenate([np.repeat(domains, [sum(map(len, h)) for h in held]), domains[_turns(test, len(held))]])
    if table.site is None:
        raise refuse("shift.by", "client, as the dataset names no sites", "site")
    return np.asarray(table.site[np.concatenate([*(rows for h in held for rows in h), test])], np.int64)


def _turns(test: Indices, clients: int) -> Indices:
    return np.arange(len(test)) % clients


def _test_domains(table: Table, test: Indices, shift: Shift, clients: int) -> dict[str, Indices]:
    if shift.by != "site" and not isinstance(shift, NoneShift):
        found = (domains := shift.domains(clients))[_turns(test, clients)]
        return {f"{shift.by} {number}": np.flatnonzero(found == number) for number in np.unique(domains)}
    if table.site is None:
        return {}
    sites = table.site[test]
    return {name_of(int(site), table.site_names): np.flatnonzero(sites == site) for site in np.unique(sites)}


def _shift(x: Tensor, domains: Indices, shift: Shift, seed: int) -> None:
    """Shifts the images of every domain in place."""
    for domain in np.unique(domains):
        rows = torch.from_numpy(np.flatnonzero(domains == domain))
        x[rows] = shift.apply(x[rows], int(domain), seed)


def _share_out(examples: Examples, held: Sequence[_ClientRows]) -> tuple[list[Share], list[Examples], Examples]:
    """Every client's slices, its training and validation slice as one, and what is left for the server: no copies."""
    shares, whole, start = [], [], 0
    for h in held:
        train, val, test = (start + int(end) for end in np.cumsum([len(rows) for rows in h]))
        shares.append(Share(examples[start:train], examples[train:val], examples[val:test]))
        whole.append(examples[start:val])
        start = test
    return shares, whole, examples[start:]


def _as_given(share: Share, given: GivenLabels) -> Share:
    """The share with the labels that its annotator gave."""
    n = len(share.train)
    seen = given.seen
    train = Examples(share.train.x, given.y[:n], None if seen is None else seen[:n])
    val = Examples(share.val.x, given.y[n:], None if seen is None else seen[n:])
    audit = share.val if _differ(val, share.val) else None
    truth = share.train.y if share.train.seen is None else None
    return Share(train, val, share.test, audit, truth)


def _differ(given: Examples, true: Examples) -> bool:
    return (given.seen is None) != (true.seen is None) or not torch.equal(given.y, true.y)


def _audit(
    held: _ClientRows, share: Share, given: GivenLabels, kind: str, table: Table, shown: NDArray[np.bool_]
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


def _fingerprint(table: Table) -> Fingerprint:
    """A digest that is equal where two runs saw the same data, in the same order."""
    split = _split(table)
    return Fingerprint(_digest(table, (split == TRAIN) | (split == VAL)), _digest(table, split == TEST))


def _digest(table: Table, chosen: NDArray[np.bool_]) -> str:
    """A digest of every chosen image and label, and of which labels are known where some are not."""
    digest, rows = blake2b(digest_size=16), torch.from_numpy(np.flatnonzero(chosen))
    known = [] if table.examples.seen is None else [table.examples.seen]
    for tensor in (table.examples.x, table.examples.y, *known):
        digest.update(repr((tensor.dtype, len(rows), tuple(tensor.shape[1:]))).encode())
        for part in rows.split(CHUNK):
            digest.update(np.ascontiguousarray(tensor[part].numpy()).data)
    return digest.hexdigest()
