"""FedPLVM: clients in different domains share clustered prototypes, and features are drawn to those of their class.

Wang, Bian, Zhang, Chen, Xu: Taming Cross-Domain Representation Variance in Federated Prototype Learning with
Heterogeneous Data Domains. NeurIPS 2024, arXiv 2403.09048.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies._directions import unit
from fedmed.strategies._finch import centroids, finch


@dataclass(frozen=True, kw_only=True)
class FedPLVM(Method):
    """Adds weight * (L_contra + L_corr) to the loss: similarities cos(z, g)^alpha to the global prototypes (eqs. 5-8).

    Clients send the mean feature of every FINCH cluster of each class, and the server clusters these means again.
    weight: weight of both terms (>= 0; 0 is FedAvg); the paper tunes it per data set, between 1 and 100.
    alpha: exponent of the similarities (above 0 to 1; 1: plain cosines); small values weigh dissimilar pairs more.
    temperature: temperature of the contrast (0.02 or more, so that no share rounds to 0; small values sharpen it).
    correction: the pull towards the own class: mean (2 (cos - 1)^2 to the mean of its prototypes, as in the authors'
       code), sum (distance of its summed similarities from their number, eq. 8), or none (neutral).
    similarity_floor: cosines below it count as it, as the power has no slope at 0 (above 0, below 1; 0.0001 is safer
       still, where features may be negative).
    local_clusters: how clients make prototypes: finch, or mean (neutral: one per class).
    global_clusters: how the server makes them: finch, mean (one per class), or none (neutral: passes all on).
    aggregate: how clients count in the average of weights: by size (training images; neutral), or uniform.
    min_examples: images of a class without which a client sends no prototype of it (images, >= 1; 2: no prototype is
       the feature of a single image).
    max_examples: most images of a class that a client clusters, drawn at random each round (images, >= 1); the
       comparisons grow with their square.
    """

    weight: Annotated[float, Ge(0)] = 1.0
    alpha: Annotated[float, Interval(gt=0, le=1)] = 0.25
    temperature: Annotated[float, Ge(0.02)] = 0.07
    correction: Literal["mean", "sum", "none"] = "mean"
    similarity_floor: Annotated[float, Interval(gt=0, lt=1)] = 1e-6
    local_clusters: Literal["finch", "mean"] = "finch"
    global_clusters: Literal["finch", "mean", "none"] = "finch"
    aggregate: Literal["size", "uniform"] = "size"
    min_examples: Annotated[int, Ge(1)] = 2
    max_examples: Annotated[int, Ge(1)] = 1000

    @property
    def idle(self) -> frozenset[str]:
        by_size = {"weights"} if self.aggregate == "size" else set[str]()
        return frozenset(by_size if self.weight else by_size | {"prepare", "penalty", "report", "audit", "combine"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses tasks without one class and one feature vector per image: prototypes are defined for these only."""
        if setup.task.kind == "multiclass":
            return ()
        expected = "a task with one class, and a model with one feature vector, per image for fedplvm"
        return [Fault("strategy", expected, setup.task.kind, "Use a multi-class dataset, or another strategy.")]

    def prepare(self, client: Client) -> None:
        client.keep(_Received(_Known.of(client.inbox, client.task.classes) if client.inbox else None))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        known = client.kept(_Received).known
        if known is None:
            return 0.0
        z, y = batch.features, batch.y
        if not known.complete:
            chosen = known.number[y] > 0
            if not chosen.any():
                return 0.0
            z, y = z[chosen], y[chosen]
        z, own = unit(z), known.own[y]
        # s_a(z, g) = cos(z, g)^alpha; hardtanh is clamp, with one kernel for the gradient
        similar = F.hardtanh(z @ known.rows.T, self.similarity_floor, 1).pow(self.alpha)  # (B, P)
        # L_contra = -log( sum_{g in G^y} exp(s_a / tau) / sum_{g in G} exp(s_a / tau) )
        contrast = -((similar / self.temperature).softmax(1) * own).sum(1).log()
        return self.weight * (contrast + self._correction(z, y, similar, own, known)).mean()

    def _correction(self, z: Tensor, y: Tensor, similar: Tensor, own: Tensor, known: _Known) -> Tensor | float:
        """L_corr of every image (B,)."""
        if self.correction == "none":
            return 0.0
        if self.correction == "mean":
            # 2 (cos(z, gbar^y) - 1)^2
            cosine: Tensor = torch.linalg.vecdot(z, known.mean[y])
            return 2 * (cosine - 1).square()
        # | sum_{g in G^y} s_a(z, g) - C_y |
        return ((similar * own).sum(1) - known.number[y]).abs()

    def report(self, client: Client) -> Payload:
        features, y = client.collect(client.model)[0], client.train.y
        _refuse_broken(client, features, y)
        by_class = y.argsort(stable=True).split(y.bincount().tolist())
        drawn = [self._draw(client, rows) for rows in by_class if len(rows) >= self.min_examples]
        chosen = torch.cat(drawn) if drawn else None
        sent = {} if chosen is None else _prototypes(features[chosen], y[chosen], self.local_clusters)
        client.keep(_Sent(features, sent))
        return sent

    def _draw(self, client: Client, rows: Tensor) -> Tensor:
        if len(rows) <= self.max_examples:
            return rows
        order = torch.randperm(len(rows), generator=client.rng)[: self.max_examples]
        return rows[order.to(rows.device)]

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """What is sent and received, and how near features are to prototypes of their own and of other classes.

        sent.<m>, received.<m>: prototypes of class m, before and after global clustering (of the round before).
        sent.bytes, received.bytes: of all these. clustered: share of the images whose features were clustered.
        variance.<m>: of the features of class m, scaled to length 1. cosine.own, cosine.other: means over pairs.
        """
        after = client.kept(_Sent)
        z, given = unit(after.features), client.train.y.bincount()
        used = given.clamp(max=self.max_examples)[given >= self.min_examples]
        found = {"clustered": used.sum().item() / len(truth), **_counts("sent", after.payload, client)}
        present, label = truth.unique(return_inverse=True)
        variance = 1 - centroids(z, label).square().sum(1)  # mean |z - mean z|^2 = 1 - |mean z|^2
        found |= {f"variance.{m}": v for m, v in zip(present.tolist(), variance.tolist(), strict=True)}
        known = client.kept(_Received).known
        if known is None:
            return found
        cosine = z @ known.rows.T  # (N, P)
        own = known.classes == truth[:, None]
        pairs = {"cosine.own": cosine[own], "cosine.other": cosine[~own]}
        means = {name: values.mean().item() for name, values in pairs.items() if len(values)}
        return found | _counts("received", client.inbox, client) | means

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.ones(len(reports), dtype=torch.float64)

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        sent = [r.payload for r in reports if r.payload]
        if not sent:
            return {}
        rows, classes = (torch.cat([p[name] for p in sent]) for name in ("prototypes", "classes"))
        return _prototypes(rows, classes, self.global_clusters)


class _Known(NamedTuple):
    """The global prototypes as a client uses them.

    rows: of unit length (P, D). classes: of the rows (P,). number: of rows per class (K,).
    mean: of the rows as they came, then of unit length (K, D); zero for a class without. complete: no class is without.
    own: 1 at the rows of a class, 0 at the others (K, P).
    """

    rows: Tensor
    classes: Tensor
    number: Tensor
    mean: Tensor
    complete: bool
    own: Tensor

    @classmethod
    def of(cls, inbox: Payload, classes: int) -> _Known:
        rows, given = inbox["prototypes"], inbox["classes"]
        own = F.one_hot(given, classes).T.to(rows.dtype)
        number = given.bincount(minlength=classes)
        return cls(unit(rows), given, number, unit(own @ rows), bool(number.all()), own)


class _Received(NamedTuple):
    """What came from the server; None before there are prototypes."""

    known: _Known | None


class _Sent(NamedTuple):
    """Features of the training images after training (N, D), and what the client makes of them for the server."""

    features: Tensor
    payload: Payload


def _prototypes(rows: Tensor, classes: Tensor, how: str) -> dict[str, Tensor]:
    """The means of the clusters of each class, every row counting alike. rows: (N, D). classes: of the rows (N,)."""
    if how == "none":
        return {"prototypes": rows, "classes": classes}
    classes, order = classes.sort(stable=True)
    rows, (_, own, sizes) = rows[order], classes.unique_consecutive(return_inverse=True, return_counts=True)
    cluster = finch(rows, sizes.tolist())[-1] if how == "finch" else own
    means = centroids(rows, cluster)
    return {"prototypes": means, "classes": classes.new_empty(len(means)).scatter_(0, cluster, classes)}


def _counts(name: str, payload: Payload, client: Client) -> dict[str, float]:
    """Prototypes per class, and bytes of all of them; nothing where there are none."""
    if not payload:
        return {}
    count = payload["classes"].bincount(minlength=client.task.classes).tolist()
    size = {f"{name}.bytes": float(sum(tensor.nbytes for tensor in payload.values()))}
    return size | {f"{name}.{m}": float(n) for m, n in enumerate(count)}


def _refuse_broken(client: Client, features: Tensor, y: Tensor) -> None:
    finite = features.isfinite()
    if not finite.all():
        where = f"client {client.id}, round {client.round}, class {int(y[~finite.all(1)][0])}"
        fix = "Training diverged: lower optimizer.lr or strategy.fedplvm.weight, or set clip_norm."
        raise refuse(where, "finite features", "values that are not", fix)
