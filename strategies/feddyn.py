"""FedDyn: each client's objective is bent so that its optimum is that of all.

Acar, Zhao, Matas, Mattina, Whatmough, Saligrama: Federated Learning Based on Dynamic Regularization. ICLR 2021,
arXiv 2111.04263.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from fedmed.method import Client, Method, Payload, Report, Server
from fedmed.strategies._together import begins_anew, recall, remember, since


@dataclass(frozen=True, kw_only=True)
class FedDyn(Method):
    """Local objective F_k(w) - <h_k, w> + alpha/2 ||w - w_t||^2 (Algorithm 1); models count alike in the mean.

    alpha: strength of the regulariser (> 0).
    """

    alpha: Annotated[float, Gt(0)] = 0.01

    def correct(self, client: Client) -> None:
        own = recall(client, "h")
        for name, weight, anchor in client.shared:
            if weight.grad is not None:
                weight.grad.add_(weight.detach() - anchor, alpha=self.alpha)
                if name in own:
                    weight.grad.sub_(own[name])

    def report(self, client: Client) -> Payload:
        # h_k <- h_k - alpha (w_k - w_t); it stays at the client
        own = recall(client, "h")
        change = {n: self.alpha * (anchor - weight.detach()) for n, weight, anchor in client.shared}
        remember(client, "h", {n: own[n] + c if n in own else c for n, c in change.items()})
        return {}

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.ones(len(reports), dtype=torch.float64)

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        if begins_anew(server):
            return mean
        # h <- h - alpha/N sum_S (w_k - w_t); w_{t+1} = mean_S w_k - h / alpha
        share = len(server.reports) / len(server.clients)
        new = dict(mean)
        for name in (name for name in mean if name in server.parameters):
            step = self.alpha * share * (mean[name] - old[name])
            server.state[name] = server.state[name] - step if name in server.state else -step
            new[name] = mean[name] - server.state[name] / self.alpha
        return new

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        return since(server)
