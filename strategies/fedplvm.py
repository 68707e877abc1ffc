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

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies._directions import unit
from fedmed.strategies._finch import centroids
from fedmed.strategies._prototypes import (
    Prototypes,
    Received,
    classes_needed,
    combined,
    prototypes,
    trained_features,
)


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
        return classes_needed("fedplvm", setup)

    def prepare(self, client: Client) -> None:
        client.keep(Received.by(client))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        known = client.kept(Received).known
        if known is None:
            return 0.0
        z, y = known.with_prototype(batch)
        if not len(y):
            return 0.0
        z, own = unit(z), known.own[y]
        # s_a(z, g) = cos(z, g)^alpha; hardtanh is clamp, with one kernel for the gradient
        similar = F.hardtanh(z @ known.rows.T, self.similarity_floor, 1).pow(self.alpha)  # (B, P)
        # L_contra = -log( sum_{g in G^y} exp(s_a / tau) / sum_{g in G} exp(s_a / tau) )
        contrast = -((similar / self.temperature).softmax(1) * own).sum(1).log()
        return self.weight * (contrast + self._correction(z, y, similar, own, known)).mean()

    def _correction(self, z: Tensor, y: Tensor, similar: Tensor, own: Tensor, known: Prototypes) -> Tensor | float:
        """L_corr of every image (B,)."""
        if self.correction == "none":
            return 0.0
        if self.correction == "mean":
            # 2 (cos(z, gbar^y) - 1)^2
            cosine: Tensor = torch.linalg.vecdot(z, known.direction[y])
            return 2 * (cosine - 1).square()
        # | sum_{g in G^y} s_a(z, g) - C_y |
        return ((similar * own).sum(1) - known.number[y]).abs()

    def report(self, client: Client) -> Payload:
        features, y = trained_features(client, "strategy.fedplvm.weight")
        by_class = y.argsort(stable=True).split(y.bincount().tolist())
        drawn = [self._draw(client, rows) for rows in by_class if len(rows) >= self.min_examples]
        chosen = torch.cat(drawn) if drawn else None
        sent = {} if chosen is None else prototypes(features[chosen], y[chosen], self.local_clusters)
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
        effective: prototypes of its own class that an image attends to, the exponential of the entropy of its softmax
        over them, in the mean over images; effective.share: of those that there are.
        reached: share of the received prototypes of the client's classes that are nearest to one that it sends: small
        where every prototype is of one domain, 1 where all domains have part in each.
        """
        after = client.kept(_Sent)
        z, given = unit(after.features), client.train.y.bincount()
        used = given.clamp(max=self.max_examples)[given >= self.min_examples]
        found = {"clustered": used.sum().item() / len(truth), **_counts("sent", after.payload, client)}
        present, label = truth.unique(return_inverse=True)
        variance = 1 - centroids(z, label).square().sum(1)  # mean |z - mean z|^2 = 1 - |mean z|^2
        found |= {f"variance.{m}": v for m, v in zip(present.tolist(), variance.tolist(), strict=True)}
        known = client.kept(Received).known
        if known is None:
            return found
        cosine = z @ known.rows.T  # (N, P)
        own = known.classes == truth[:, None]
        pairs = {"cosine.own": cosine[own], "cosine.other": cosine[~own]}
        means = {name: values.mean().item() for name, values in pairs.items() if len(values)}
        found |= _counts("received", client.inbox, client) | means
        return found | self._attended(cosine, own) | _reached(after.payload, known)

    def _attended(self, cosine: Tensor, own: Tensor) -> dict[str, float]:
        """How many prototypes of its own class an image attends to. cosine, own: (N, P)."""
        has = own.any(1)
        similar, own = cosine[has].clamp(self.similarity_floor, 1).pow(self.alpha) / self.temperature, own[has]
        if not len(own):
            return {}
        share = similar.masked_fill(~own, -torch.inf).softmax(1)  # (n, P)
        effective = torch.special.entr(share).sum(1).exp()
        of_all = effective / own.sum(1)
        return {"effective": effective.mean().item(), "effective.share": of_all.mean().item()}

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.ones(len(reports), dtype=torch.float64)

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        return combined(reports, self.global_clusters)


class _Sent(NamedTuple):
    """Features of the training images after training (N, D), and what the client makes of them for the server."""

    features: Tensor
    payload: Payload


def _counts(name: str, payload: Payload, client: Client) -> dict[str, float]:
    """Prototypes per class, and bytes of all of them; nothing where there are none."""
    if not payload:
        return {}
    count = payload["classes"].bincount(minlength=client.task.classes).tolist()
    size = {f"{name}.bytes": float(sum(tensor.nbytes for tensor in payload.values()))}
    return size | {f"{name}.{m}": float(n) for m, n in enumerate(count)}


def _reached(sent: Payload, known: Prototypes) -> dict[str, float]:
    """The share of the received prototypes of the classes sent that are the nearest to one sent; nothing if none is."""
    if not sent or not (known.number[sent["classes"]] > 0).any():
        return {}
    same = sent["classes"][:, None] == known.classes  # (S, P)
    rows = same.any(1)
    cosine = (unit(sent["prototypes"][rows]) @ known.rows.T).masked_fill(~same[rows], -torch.inf)
    return {"reached": len(cosine.argmax(1).unique()) / int(same.any(0).sum())}
