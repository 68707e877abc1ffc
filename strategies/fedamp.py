"""FedAMP: every client gets a mixture of its own, the more of another client's model the nearer that is.

Huang, Chu, Zhou, Wang, Liu, Pei, Zhang: Personalized Cross-Silo Federated Learning on Non-IID Data. AAAI 2021,
arXiv 2007.03797.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from fedmed.method import Client, Method, Report, Server


@dataclass(frozen=True, kw_only=True)
class FedAMP(Method):
    """u_i = (1 - sum_j xi_ij) w_i + sum_{j != i} xi_ij w_j, xi_ij = alpha A'(||w_i - w_j||^2) (eq. 3 to 5).

    A(x) = 1 - exp(-x / sigma). Where the xi_ij of a client would add up to more than 1 they are scaled to 1. Clients
    train on F_i(w) + proximal/2 ||w - u_i||^2.

    alpha: step of the attentive message passing (>= 0; 0: everyone alone); where alpha / sigma is below one over the
       number of clients, each keeps something of its own model.
    sigma: squared distance of models at which the attraction has fallen to a third (> 0).
    proximal: strength with which clients are held near their mixture (>= 0; 0: not at all).
    """

    alpha: Annotated[float, Ge(0)] = 0.1
    sigma: Annotated[float, Gt(0)] = 1.0
    proximal: Annotated[float, Ge(0)] = 0.0

    def correct(self, client: Client) -> None:
        for _, weight, anchor in client.shared if self.proximal else ():
            if weight.grad is not None:
                weight.grad.add_(weight.detach() - anchor, alpha=self.proximal)

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
        names = [name for name in reports[0].weights if name in server.parameters]
        flat = [_joined([report.weights[name] for name in names]) for report in reports]
        near = torch.tensor([[float((one - two).square().sum()) for two in flat] for one in flat], dtype=torch.float64)
        xi = self.alpha * (-near / self.sigma).exp() / self.sigma
        xi.fill_diagonal_(0)
        xi /= xi.sum(1, keepdim=True).clamp(min=1)
        xi.diagonal().copy_((1 - xi.sum(1)).clamp(min=0))
        place = {report.client: row for report, row in zip(reports, xi, strict=True)}
        return torch.stack([place.get(client, torch.zeros(len(reports), dtype=xi.dtype)) for client in server.clients])

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.ones(len(reports), dtype=torch.float64)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """All entries in one row; empty where nothing is shared."""
    return torch.cat([tensor.flatten() for tensor in tensors]) if tensors else torch.zeros(0)
