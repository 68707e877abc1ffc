"""SCAFFOLD: control variates correct the drift of local steps.

Karimireddy, Kale, Mohri, Reddi, Stich, Suresh: SCAFFOLD: Stochastic Controlled Averaging for Federated Learning.
ICML 2020, arXiv 1910.06378.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Client, Method, Payload, Report, Server, Setup
from fedmed.strategies._together import BEGUN, begins_anew, recall, remember, since


@dataclass(frozen=True, kw_only=True)
class Scaffold(Method):
    """Local steps follow g - c_k + c over the shared weights (Algorithm 1, option II); models count alike in the mean.

    local: what stays on the client, as weight-name patterns ([] shares everything).
    """

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses momentum and Adam, where the mean step is not the mean gradient."""
        o = setup.optimizer
        if o.name == "sgd" and o.momentum == 0:
            return ()
        fix = "Its control variate is the mean gradient of plain SGD only: optimizer.name=sgd optimizer.momentum=0."
        return [Fault("optimizer", "plain SGD with strategy scaffold", f"{o.name}, momentum {o.momentum}", fix)]

    def prepare(self, client: Client) -> None:
        c, own = client.inbox, recall(client, "variate")
        # c - c_k; a variate that does not exist yet is zero
        client.keep(_Drift({n: _minus(c.get(n), own.get(n)) for n in (c.keys() | own.keys()) - {BEGUN}}))

    def correct(self, client: Client) -> None:
        drift = client.kept(_Drift).by_name
        for name, weight, _ in client.shared if drift else ():
            if weight.grad is not None:
                weight.grad.add_(drift[name])

    def report(self, client: Client) -> Payload:
        c, own = client.inbox, recall(client, "variate")
        scale = 1 / (max(client.step, 1) * client.lr)
        # c_k+ - c_k = (w_t - y) / (T lr) - c
        change = {n: _minus((anchor - w.detach()) * scale, c.get(n)) for n, w, anchor in client.shared}
        remember(client, "variate", {n: own[n] + d if n in own else d for n, d in change.items()})
        return change

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.ones(len(reports), dtype=torch.float64)

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        if begins_anew(server):
            return since(server)
        # c <- c + |S|/N mean_S(c_k+ - c_k) = c + sum_S(c_k+ - c_k) / N
        for name in reports[0].payload:
            total = sum(r.payload[name] for r in reports) / len(server.clients)
            server.state[name] = server.state[name] + total if name in server.state else total
        return dict(server.state)


@dataclass(frozen=True, slots=True)
class _Drift:
    """What every gradient of a round is corrected by: c - c_k, by state-dict name; empty before there is any."""

    by_name: Mapping[str, Tensor]


def _minus(a: Tensor | None, b: Tensor | None) -> Tensor:
    if b is None:
        return a if a is not None else torch.zeros(())
    return -b if a is None else a - b
