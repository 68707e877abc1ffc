"""FedPer: a shared body and a private head.

Arivazhagan, Aggarwal, Singh, Choudhary: Federated Learning with Personalization Layers. 2019, arXiv 1912.00818.
"""

from dataclasses import dataclass

from fedmed.method import Method


@dataclass(frozen=True, kw_only=True)
class FedPer(Method):
    """Body and head train together; only the body is averaged (Algorithm 1).

    local: what stays on the client, as weight-name patterns ([@head]: the classifier).
    """

    local: tuple[str, ...] = ("@head",)
