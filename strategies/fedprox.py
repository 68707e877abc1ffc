"""FedProx: local training is held near the shared weights.

Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith: Federated Optimization in Heterogeneous Networks.
MLSys 2020, arXiv 1812.06127.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from fedmed.method import Client, Method


@dataclass(frozen=True, kw_only=True)
class FedProx(Method):
    """Local objective F_k(w) + mu/2 ||w - w_t||^2 over the shared weights (eq. 2).

    mu: strength of the proximal term (>= 0; 0 is FedAvg).
    """

    mu: Annotated[float, Ge(0)] = 0.01

    def correct(self, client: Client) -> None:
        # grad (mu/2 ||w - w_t||^2) = mu (w - w_t)
        for _, weight, anchor in client.shared if self.mu else ():
            if weight.grad is not None:
                weight.grad.add_(weight.detach() - anchor, alpha=self.mu)
