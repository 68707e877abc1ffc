"""Clients whose training images have the features that a test gives, and payloads of prototypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.method import Client, Method, Payload, Server, SweepPart
from fedmed.tasks import MultiClass
from tests.toys import TOYS, job_of, trainer_of

TOY = TOYS["multiclass"]


def payload(prototypes: Any, classes: Sequence[int], dtype: torch.dtype = torch.float32) -> Payload:
    return {"prototypes": torch.as_tensor(prototypes, dtype=dtype), "classes": torch.tensor(classes)}


def prepared(
    method: Method,
    name: str,
    inbox: Payload,
    features: Any = ((1.0, 0.0),),
    y: Sequence[int] = (0,),
    classes: int = 2,
) -> Client:
    """A prepared client of the method in the file of that name, whose training images have these features."""
    trainer = trainer_of(TOY, method)
    received = replace(trainer.receive(job_of(trainer, round=2)), task=MultiClass(classes=classes))
    z = torch.as_tensor(features, dtype=torch.float32)
    received.context.sweep = lambda net, images: iter([SweepPart(slice(0, len(z)), z, z)])
    received.context.train = Examples(torch.zeros(len(z), 1, 8, 8), torch.tensor(y))
    received.context.inbox = {name: inbox}
    client = received.member(name)
    method.prepare(client)
    return client


def server() -> Server:
    return Server(round=1, rounds=2, seed=0, clients=(0, 1), shared={}, state={})


def at(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], 1)
