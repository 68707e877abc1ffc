"""FedAvg: clients train from the shared weights, the server averages what comes back.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas: Communication-Efficient Learning of Deep Networks from
Decentralized Data. AISTATS 2017, arXiv 1602.05629.
"""

from dataclasses import dataclass

from fedmed.method import Method


@dataclass(frozen=True, kw_only=True)
class FedAvg(Method):
    """Average of client weights by training images (Algorithm 1); every other method starts from it.

    local: what stays on the client, as weight-name patterns ([] shares everything).
    """
