"""FedNova: clients that take more local steps pull no harder.

Wang, Liu, Liang, Joshi, Poor: Tackling the Objective Inconsistency Problem in Heterogeneous Federated Optimization.
NeurIPS 2020, arXiv 2007.07481.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from fedmed.errors import Fault
from fedmed.method import Client, Method, Payload, Server, Setup


@dataclass(frozen=True, kw_only=True)
class FedNova(Method):
    """w_{t+1} = w_t - (sum_k p_k a_k) sum_k p_k d_k, d_k = (w_t - w_k) / a_k, p_k by training images (eq. 6).

    a_k is the number of local steps of plain SGD.

    local: what stays on the client, as weight-name patterns ([] shares everything).
    """

    keeps_weights: ClassVar[bool] = True

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses momentum and Adam, where the mean step is not the mean gradient."""
        o = setup.optimizer
        if o.name == "sgd" and o.momentum == 0:
            return ()
        fix = "It counts the steps of plain SGD: optimizer.name=sgd optimizer.momentum=0."
        return [Fault("optimizer", "plain SGD with strategy fednova", f"{o.name}, momentum {o.momentum}", fix)]

    def report(self, client: Client) -> Payload:
        return {"steps": torch.tensor(float(client.step), dtype=torch.float64)}

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        total = sum(report.examples for report in server.reports)
        parts = [(r, r.examples / total, float(r.payload["steps"])) for r in server.reports]
        effective = sum(share * steps for _, share, steps in parts)
        new = dict(mean)
        for name in (name for name in mean if name in server.parameters):
            new[name] = old[name] + effective * sum(s / a * (r.weights[name] - old[name]) for r, s, a in parts)
        return new
