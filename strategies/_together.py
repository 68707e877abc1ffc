"""Memories of the server and of clients that mean something only together, such as control variates and their mean.

Where models are split, the server's memory begins anew with every group of clients that forms. What its clients keep
from another group is then of no use: the mean that it belonged to is gone, and to add changes of it to nothing would be
wrong by that mean for good. So theirs begins anew too: the server says since when, once that is not the run's start.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fedmed.method import Client, Payload, Server

BEGUN = "@begun"
"""Beside what is kept or sent by name of weights: the round after which the memories began, where that is not 0."""


def begins_anew(server: Server) -> bool:
    """Whether the memory of these clients is new in the middle of a run, so that their reports are of another one."""
    if server.state or server.round == 1:
        return False
    server.state[BEGUN] = torch.tensor(float(server.round))
    return True


def since(server: Server) -> Payload:
    """What tells the clients when the memories began; nothing from the run's start on."""
    return {BEGUN: server.state[BEGUN]} if BEGUN in server.state else {}


def recall(client: Client, name: str) -> Mapping[str, Tensor]:
    """What the client keeps under the name; nothing where it is of another memory of the server's."""
    kept: Mapping[str, Tensor] = client.state.get(name, {})
    return kept if client.state.get(BEGUN, 0.0) == _begun(client) else {}


def remember(client: Client, name: str, value: Mapping[str, Tensor]) -> None:
    """Keeps something that belongs to the server's memory as it is now."""
    client.state[name] = value
    if begun := _begun(client):
        client.state[BEGUN] = begun


def _begun(client: Client) -> float:
    return float(client.inbox[BEGUN]) if BEGUN in client.inbox else 0.0
