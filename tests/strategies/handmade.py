"""Hand-made clients amid a round, for tests of a method's own arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.method import Client, RoundContext, SweepPart
from fedmed.models.net import Net
from fedmed.tasks import Task


def client_amid_round(
    name: str,
    task: Task,
    given: Examples,
    net: Net,
    *,
    id: int,
    round: int,
    features: Tensor,
    logits: Tensor,
    inbox: Mapping[str, Tensor],
    state: dict[str, Any],
) -> Client:
    """The client as the member `name` sees it in one of nine rounds; sweeps give fixed features and logits."""
    context = RoundContext(
        anchor={},
        train=given,
        inbox={name: inbox},
        state={name: state},
        frozen_copy=lambda weights: net,
        sweep=lambda net, images: iter([SweepPart(slice(0, len(given)), features, logits)]),
        augment=lambda index, generator, strength: given.x[index],
        own_val=lambda: given,
    )
    client = Client(id=id, round=round, rounds=9, seed=0, lr=0.1, task=task, model=net, given=given, context=context)
    return client.member(name)
