"""One client's round: from a request (what arrives) to a result (what leaves)."""

from fedmed.client.request import LOCAL, OPTIMIZER, RESIDUAL, ClientRequest, ClientResult
from fedmed.client.spec import ClientData, TrainerSpec, Training
from fedmed.client.trainer import Trainer

__all__ = [
    "LOCAL",
    "OPTIMIZER",
    "RESIDUAL",
    "ClientData",
    "ClientRequest",
    "ClientResult",
    "Trainer",
    "TrainerSpec",
    "Training",
]
