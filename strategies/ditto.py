"""Ditto: beside the shared model every client trains one of its own, held near the shared one.

Li, Hu, Beirami, Smith: Ditto: Fair and Robust Federated Learning Through Personalization. ICML 2021, arXiv 2012.04221.
"""

import copy
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from fedmed.method import Batch, Client, Method, Scope, Setup
from fedmed.models.net import Net


@dataclass(frozen=True, kw_only=True)
class Ditto(Method):
    """v_k <- v_k - lr (grad F_k(v_k) + strength (v_k - w_t)) beside FedAvg (Algorithm 1); v_k predicts at client k.

    strength: of the pull of personal models towards the shared one (>= 0; 0: they train alone).
    local: what stays on the client, as weight-name patterns ([personal.*]: its own model).
    """

    strength: Annotated[float, Ge(0)] = 0.1
    local: tuple[str, ...] = ("personal.*",)

    def build(self, net: Net, setup: Setup) -> Net:
        net.personal = copy.deepcopy(net)
        return net

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        # the two models share no weight, so that one backward pass gives each its own gradient
        return client.task.loss(_own(client.model)(batch.x), batch.y, batch.seen)

    def correct(self, client: Client) -> None:
        for name, weight in _own(client.model).named_parameters() if self.strength else ():
            if weight.grad is not None and name in client.anchor:
                weight.grad.add_(weight.detach() - client.anchor[name], alpha=self.strength)

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        logits: Tensor = net(x) if scope == "test" else _own(net)(x)
        return logits


def _own(net: Net) -> nn.Module:
    """The client's own model, which `build` has put into the net."""
    return net.get_submodule("personal")
