"""Prototypes: what clients send of their features of each class, and what comes back to draw features to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Payload, Report, Setup
from fedmed.strategies._directions import unit
from fedmed.strategies._finch import centroids, finch

Clusters = Literal["finch", "mean", "none"]
"""How rows of a class become prototypes: one for every cluster, one for all, or the rows themselves."""


class Prototypes(NamedTuple):
    """The global prototypes as a client uses them.

    rows: of unit length (P, D). classes: of the rows (P,). number: of rows per class (K,).
    mean: of the rows as they came (K, D), and direction: of that, of unit length; zero for a class without.
    complete: no class is without. own: 1 at the rows of a class, 0 at the others (K, P).
    """

    rows: Tensor
    classes: Tensor
    number: Tensor
    mean: Tensor
    direction: Tensor
    complete: bool
    own: Tensor

    @classmethod
    def of(cls, inbox: Payload, classes: int) -> Prototypes:
        """What the server's `combined` says of so many classes."""
        rows, given = inbox["prototypes"], inbox["classes"]
        own = F.one_hot(given, classes).T.to(rows.dtype)
        number, total = given.bincount(minlength=classes), own @ rows
        mean = total / number.clamp(min=1)[:, None]
        return cls(unit(rows), given, number, mean, unit(total), bool(number.all()), own)

    def with_prototype(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features (b, D) and classes (b,) of those images of the batch whose class has a prototype."""
        if self.complete:
            return batch.features, batch.y
        chosen = self.number[batch.y] > 0
        return batch.features[chosen], batch.y[chosen]


class Received(NamedTuple):
    """What came from the server; None before there are prototypes."""

    known: Prototypes | None

    @classmethod
    def by(cls, client: Client) -> Received:
        """What the client has received."""
        return cls(Prototypes.of(client.inbox, client.task.classes) if client.inbox else None)


def classes_needed(method: str, setup: Setup) -> Sequence[Fault]:
    """Refuses tasks without one class and one feature vector per image: prototypes are defined for these only."""
    if setup.task.kind == "multiclass":
        return ()
    expected = f"a task with one class, and a model with one feature vector, per image for {method}"
    return [Fault("strategy", expected, setup.task.kind, "Use a multi-class dataset, or another strategy.")]


def trained_features(client: Client, weight: str) -> tuple[Tensor, Tensor]:
    """Features (N, D) of the training images after training, and their classes (N,); `UserError` unless finite.

    weight: the option that pulls features, to be lowered where training diverged.
    """
    features, y = client.collect(client.model)[0], client.train.y
    finite = features.isfinite()
    if not finite.all():
        where = f"client {client.id}, round {client.round}, class {int(y[~finite.all(1)][0])}"
        fix = f"Training diverged: lower optimizer.lr or {weight}, or set clip_norm."
        raise refuse(where, "finite features", "values that are not", fix)
    return features, y


def prototypes(rows: Tensor, classes: Tensor, how: Clusters) -> Payload:
    """The means of the clusters of each class, every row counting alike. rows: (N, D). classes: of the rows (N,)."""
    if how == "none":
        return {"prototypes": rows, "classes": classes}
    classes, order = classes.sort(stable=True)
    rows, (_, own, sizes) = rows[order], classes.unique_consecutive(return_inverse=True, return_counts=True)
    cluster = finch(rows, sizes.tolist())[-1] if how == "finch" else own
    means = centroids(rows, cluster)
    return {"prototypes": means, "classes": classes.new_empty(len(means)).scatter_(0, cluster, classes)}


def combined(reports: Sequence[Report], how: Clusters) -> Payload:
    """The prototypes of those that clients sent, every one counting alike; nothing where nobody sent any."""
    sent = [r.payload for r in reports if r.payload]
    if not sent:
        return {}
    rows, classes = (torch.cat([p[name] for p in sent]) for name in ("prototypes", "classes"))
    return prototypes(rows, classes, how)
