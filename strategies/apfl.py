"""APFL: every client predicts with a mixture of the shared model and one of its own, whose share it learns.

Deng, Kamani, Mahdavi: Adaptive Personalized Federated Learning. 2020, arXiv 2003.13461.
"""

import copy
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.func import functional_call

from fedmed.method import Batch, Client, Method, Scope, Setup
from fedmed.models.net import Net


@dataclass(frozen=True, kw_only=True)
class APFL(Method):
    """Mixture a v + (1 - a) w of weights; v and a follow the mixture's loss, w its own (eq. 2, Algorithm 1).

    share: of the client's own model at first (0 to 1; 0.5: half of each); a gradient step moves it, as all weights.
    local: what stays on the client, as weight-name patterns ([personal.*, share]: its own model, and its share).
    """

    share: Annotated[float, Interval(ge=0, le=1)] = 0.5
    local: tuple[str, ...] = ("personal.*", "share")

    def build(self, net: Net, setup: Setup) -> Net:
        net.personal = copy.deepcopy(net)
        net.share = nn.Parameter(torch.tensor(self.share))
        return net

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        return client.task.loss(_mixed(client.model, batch.x), batch.y, batch.seen)

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        logits: Tensor = net(x) if scope == "test" else _mixed(net, x)
        return logits


def _mixed(net: Net, x: Tensor) -> Tensor:
    """Logits of the mixture of weights; the shared ones get no gradient of it."""
    personal, shared = net.get_submodule("personal"), dict(net.named_parameters())
    share, own = net.get_parameter("share").clamp(0, 1), dict(personal.named_parameters())
    weights = {name: share * own[name] + (1 - share) * shared[name].detach() for name in own}
    logits: Tensor = functional_call(personal, weights, (x,))
    return logits
