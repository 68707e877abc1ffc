"""FedBN: normalisation layers stay on the client, everything else is averaged.

Li, Jiang, Zhang, Kamp, Dou: FedBN: Federated Learning on Non-IID Features via Local Batch Normalization.
ICLR 2021, arXiv 2102.07623.
"""

from dataclasses import dataclass

from fedmed.method import Method


@dataclass(frozen=True, kw_only=True)
class FedBN(Method):
    """Affine parameters and running statistics of every normalisation layer are private (Algorithm 1).

    local: what stays on the client, as weight-name patterns ([@norm]: every normalisation layer).
    """

    local: tuple[str, ...] = ("@norm",)
