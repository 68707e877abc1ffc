"""FedProto: features are drawn to the mean feature of their class over all clients.

Tan, Long, Liu, Zhou, Lu, Jiang, Zhang: FedProto: Federated Prototype Learning across Heterogeneous Clients.
AAAI 2022, arXiv 2105.00243.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies._prototypes import Received, classes_needed, combined, prototypes, trained_features


@dataclass(frozen=True, kw_only=True)
class FedProto(Method):
    """Adds weight * MSE(z, global prototype of its class) to the loss (eq. 7), as in the authors' code.

    Weights are averaged too; with strategy.local=[*], as in the paper, prototypes alone travel.
    weight: weight of the distance (>= 0; 0 is FedAvg).
    """

    weight: Annotated[float, Ge(0)] = 1.0

    @property
    def idle(self) -> frozenset[str]:
        return frozenset() if self.weight else frozenset({"prepare", "penalty", "report", "combine"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses tasks without one class and one feature vector per image: prototypes are defined for these only."""
        return classes_needed("fedproto", setup)

    def prepare(self, client: Client) -> None:
        client.keep(Received.by(client))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        known = client.kept(Received).known
        if known is None:
            return 0.0
        z, y = batch.features, batch.y
        # an image of a class without prototype is where it should be
        target = torch.where(known.number[y, None] > 0, known.mean[y], z.detach())
        # MSE(z, Cbar^y)
        return self.weight * F.mse_loss(z, target)

    def report(self, client: Client) -> Payload:
        # C_k^m = mean of f(x) over the client's images of class m (eq. 3)
        return prototypes(*trained_features(client, "strategy.fedproto.weight"), "mean")

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        # Cbar^m = mean of C_k^m over the clients that have the class
        return combined(reports, "mean")
