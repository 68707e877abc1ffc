"""FPL: features are drawn to clustered prototypes of their class, and to the mean of these.

Huang, Ye, Shi, Li, Du: Rethinking Federated Learning with Domain Shift: A Prototype View. CVPR 2023, pages
16312-16322. Clusters are FINCH's: Sarfraz, Sharma, Stiefelhagen, CVPR 2019, arXiv 1902.11266.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies._directions import unit
from fedmed.strategies._prototypes import (
    Prototypes,
    Received,
    classes_needed,
    combined,
    prototypes,
    trained_features,
)


@dataclass(frozen=True, kw_only=True)
class FPL(Method):
    """Adds weight * (L_CPCL + L_UPCR) to the loss: a contrast between clusters, and the distance to their mean.

    Clients send the mean feature of each class, and the server clusters these means by FINCH, class by class.
    weight: weight of both terms (>= 0; 0 is FedAvg).
    temperature: temperature of the contrast (0.01 or more; small values sharpen it).
    clusters: prototypes of a class: finch (one per cluster of clients' means), or mean (neutral: one per class).
    contrast: whether there is the contrast to the clusters, L_CPCL (false: neutral).
    consistency: whether there is the distance to their mean, the unbiased prototype, L_UPCR (false: neutral).
    """

    weight: Annotated[float, Ge(0)] = 1.0
    temperature: Annotated[float, Ge(0.01)] = 0.02
    clusters: Literal["finch", "mean"] = "finch"
    contrast: bool = True
    consistency: bool = True

    @property
    def idle(self) -> frozenset[str]:
        works = self.weight and (self.contrast or self.consistency)
        return frozenset() if works else frozenset({"prepare", "penalty", "report", "combine"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses tasks without one class and one feature vector per image: prototypes are defined for these only."""
        return classes_needed("fpl", setup)

    def prepare(self, client: Client) -> None:
        client.keep(Received.by(client))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        known = client.kept(Received).known
        if known is None:
            return 0.0
        z, y = known.with_prototype(batch)
        if not len(y):
            return 0.0
        contrast = self._contrast(z, y, known) if self.contrast else 0.0
        # L_UPCR = MSE(z, mean of the clusters of class y)
        consistency = F.mse_loss(z, known.mean[y]) if self.consistency else 0.0
        return self.weight * (contrast + consistency)

    def _contrast(self, z: Tensor, y: Tensor, known: Prototypes) -> Tensor:
        similar = unit(z) @ known.rows.T / self.temperature  # (B, P)
        others = known.own[y] == 0
        # L_CPCL = -log( sum_{c in C^y} exp(cos(z, c) / tau) / sum_{c in C} exp(cos(z, c) / tau) )
        return (similar.logsumexp(1) - similar.masked_fill(others, -torch.inf).logsumexp(1)).mean()

    def report(self, client: Client) -> Payload:
        return prototypes(*trained_features(client, "strategy.fpl.weight"), "mean")

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        return combined(reports, self.clusters)
