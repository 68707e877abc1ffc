"""Hand-made clients, batches and reports for the tests of FedMLP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fedmed.data.examples import Examples
from fedmed.method import Batch, Client, Report
from fedmed.models.net import Net
from fedmed.strategies.fedmlp import FedMLP, _Round
from fedmed.tasks import MultiLabel
from tests.strategies.handmade import client_amid_round

P = torch.tensor([[0.8, 0.3, 0.6], [0.4, 0.1, 0.9]])
G = torch.tensor([[0.7, 0.5, 0.2], [0.5, 0.1, 0.6]])
TARGET = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
PLAIN = {"logit_adjustment": False, "views": 1, "warmup_rounds": 2}
F6 = torch.tensor([[1.0, 0], [4, 3], [1, 1], [3, 4], [0, 1], [-1, 0]])
AXES = torch.tensor([[1.0, 0], [0, 1]])


class Fixed(nn.Module):
    """Gives the same tensor whatever comes."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return self.value.repeat(len(x) // len(self.value), 1)


def client_of(
    y: Tensor,
    seen: Tensor | None,
    *,
    round: int = 3,
    features: Tensor | None = None,
    logits: Tensor | None = None,
    inbox: Mapping[str, Tensor] | None = None,
    state: dict[str, Any] | None = None,
) -> Client:
    """A client amid a round, whose nets give fixed features and logits, both of its model and of its teacher."""
    features = torch.zeros(len(y), 2) if features is None else features
    logits = torch.zeros_like(y) if logits is None else logits
    given = Examples(torch.zeros(len(y), 1, 2, 2), y, seen)
    net = Net(nn.Identity(), Fixed(logits))
    member = client_amid_round(
        "fedmlp",
        MultiLabel(classes=y.shape[1]),
        given,
        net,
        id=4,
        round=round,
        features=features,
        logits=logits,
        inbox=inbox or {},
        state=state or {},
    )
    member.keep(_Round(torch.zeros(y.shape[1])))  # of a round whose prior moves no logit
    return member


def batch_of(logits: Tensor, y: Tensor, seen: Tensor | None) -> Batch:
    return Batch(torch.zeros(len(y), 1, 2, 2), y, seen, torch.arange(len(y)), torch.zeros(len(y), 2), logits)


def sent(examples: int, rows: Tensor, counts: list[int], missing: list[int], degree: list[float]) -> Report:
    payload = {
        "prototypes": rows,
        "counts": torch.tensor(counts),
        "missing": torch.tensor(missing).bool(),
        "learning_degree": torch.tensor(degree, dtype=torch.float64),
    }
    return Report(client=0, examples=examples, loss=0.0, payload=payload, weights={})


def received(rows: Tensor, tau: list[float], valid: bool = True, prevalence: float = 0.5) -> dict[str, Tensor]:
    return {
        "prototypes": rows,
        "valid": torch.full((len(rows),), valid),
        "tau": torch.tensor(tau, dtype=torch.float64),
        "prevalence": torch.full((len(tau),), prevalence, dtype=torch.float64),
    }


def tagged(method: FedMLP, features: Tensor = F6, tau: float = 1.0, **known: Any) -> list[int]:
    """Tags of one missing class after one round of stage 2."""
    hidden = torch.zeros(len(features), 1, dtype=torch.bool)
    inbox = received(known.pop("rows", AXES), [tau], known.pop("valid", True))
    client = client_of(hidden.float(), hidden, features=features, inbox=inbox, **known)
    method.prepare(client)
    found: list[int] = client.state["tag"][:, 0].tolist()
    return found


def exact(negative: float, positive: float, **fields: Any) -> FedMLP:
    return FedMLP(negative_share=negative, positive_share=positive, **{"min_tag": 0, **PLAIN, **fields})
