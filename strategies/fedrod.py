"""FedRoD: one head for everybody, trained for balanced classes, and one for each client beside it.

Chen, Chao: On Bridging Generic and Personalized Federated Learning for Image Classification. ICLR 2022,
arXiv 2107.00778. Balanced softmax: Ren et al., NeurIPS 2020, arXiv 2007.10740.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Scope, Setup
from fedmed.models.net import Net

TINY = 1e-9
"""Added to the share of a class before its logarithm, so that a class that the client lacks has one."""


class TwoHeads(nn.Module):
    """The generic head, whose logits are the net's, and a personal one that is added where a client predicts."""

    def __init__(self, generic: nn.Module) -> None:
        super().__init__()
        self.generic, self.personal = generic, copy.deepcopy(generic)
        with torch.no_grad():
            for weight in self.personal.parameters():
                weight.zero_()

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.generic(features)
        return logits


@dataclass(frozen=True, kw_only=True)
class FedRoD(Method):
    """Balanced softmax on the generic head, cross-entropy on the sum with the personal one (eq. 7 and 8).

    local: what stays on the client, as weight-name patterns ([head.personal.*]: its own head).
    """

    local: tuple[str, ...] = ("head.personal.*",)
    kinds: ClassVar[tuple[str, ...]] = ("multiclass",)

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses what is not a choice among classes, for which the balanced softmax is not defined."""
        if setup.task.kind in self.kinds:
            return ()
        return [Fault("strategy", "a task of classes with fedrod", setup.task.kind, "See fedper and ditto.")]

    def build(self, net: Net, setup: Setup) -> Net:
        net.head = TwoHeads(net.head)
        return net

    def prepare(self, client: Client) -> None:
        counts = torch.bincount(client.train.y, minlength=client.task.classes)
        client.keep(_Prior((counts / counts.sum() + TINY).log()))

    def loss(self, client: Client, batch: Batch) -> Tensor:
        return F.cross_entropy(batch.logits + client.kept(_Prior).log_share, batch.y)

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        return client.task.loss(_together(client.model, batch.features, batch.logits), batch.y, batch.seen)

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        if scope == "test":
            return net(x)  # type: ignore[no-any-return]
        features = net.features(x)
        return _together(net, features, net.head(features))


def _together(net: Net, features: Tensor, generic: Tensor) -> Tensor:
    """Generic and personal logits together (B, C); neither features nor generic logits get a gradient."""
    personal: Tensor = net.get_submodule("head.personal")(features.detach())
    return generic.detach() + personal


@dataclass(frozen=True, slots=True)
class _Prior:
    """Logarithm of the share of each class among the client's training images (C,)."""

    log_share: Tensor
