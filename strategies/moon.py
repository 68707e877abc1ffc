"""MOON: features are drawn to those of the global model and away from those of the client's previous one.

Li, He, Song: Model-Contrastive Federated Learning. CVPR 2021, arXiv 2103.16257.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Setup
from fedmed.models.net import Net


@dataclass(frozen=True, kw_only=True)
class Moon(Method):
    """Adds mu * CE([cos(z, z_glob), cos(z, z_prev)] / temperature, 0) to the loss (eq. 3), z being the pooled feature.

    In a client's first round its previous model is the received one, and the term is a constant.
    mu: weight of the contrastive term (>= 0; 0 is FedAvg).
    temperature: temperature of the contrast (> 0; small values sharpen it).
    """

    mu: Annotated[float, Ge(0)] = 1.0
    temperature: Annotated[float, Gt(0)] = 0.5

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses segmentation: the contrast is defined on one feature vector per image."""
        if setup.task.kind != "segmentation":
            return ()
        fix = "Use a classification dataset, or another strategy."
        return [Fault("strategy", "a task with one feature vector per image for moon", setup.task.kind, fix)]

    def prepare(self, client: Client) -> None:
        previous = client.state.get("previous")
        client.keep(_Previous(client.frozen(previous) if self.mu and previous else None))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        previous = client.kept(_Previous).net
        if previous is None:
            return 0.0
        with torch.no_grad():
            anchors = client.received.features(batch.x), previous.features(batch.x)  # 2 x (B, D)
        similar = torch.stack([F.cosine_similarity(batch.features, z) for z in anchors], 1)  # (B, 2)
        # -log( exp(cos(z, z_glob)/T) / (exp(cos(z, z_glob)/T) + exp(cos(z, z_prev)/T)) )
        target = torch.zeros(len(similar), dtype=torch.int64, device=similar.device)
        return self.mu * F.cross_entropy(similar / self.temperature, target)

    def report(self, client: Client) -> Payload:
        if self.mu:
            client.state["previous"] = {n: t.detach().clone() for n, t in client.model.state_dict().items()}
        return {}


@dataclass(frozen=True, slots=True)
class _Previous:
    """The client's model after its last round, frozen; None in its first, and where the term is off."""

    net: Net | None
