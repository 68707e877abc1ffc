"""FedBABU: only the body is trained; the head stays as it was drawn, for clients to fine-tune at the end.

Oh, Kim, Yun: FedBABU: Toward Enhanced Representation for Federated Image Classification. ICLR 2022, arXiv 2106.06042.
"""

from dataclasses import dataclass

from fedmed.method import Method, Setup
from fedmed.models.net import Net


@dataclass(frozen=True, kw_only=True)
class FedBABU(Method):
    """The head is frozen at its random start during all rounds (Algorithm 1).

    Fine-tuning is a run of its own, which starts from the exported net: strategy.local=[*] trains every client alone.

    local: what stays on the client, as weight-name patterns ([] shares the body).
    """

    def build(self, net: Net, setup: Setup) -> Net:
        net.head.requires_grad_(False)
        return net
