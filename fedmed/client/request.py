"""What arrives at a client for a round, and what leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fedmed.method import Payload, State
from fedmed.metrics import Scores

LOCAL, OPTIMIZER, RESIDUAL = "@local", "@optimizer", "@residual"
"""Names in a client's state that are the engine's own; a member's name never begins with @."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """What a client needs for a round besides its data. `state` is only read: the result carries the new one.

    adapted: whether to score itself right after training. pooled: whether an evaluation gives validation's outputs.
    """

    client: int
    round: int
    rounds: int
    shared: Payload
    inbox: Mapping[str, Payload] = field(default_factory=dict)
    state: Mapping[str, dict[str, State]] = field(default_factory=dict)
    adapted: bool = False
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientResult:
    """What a client's round gave.

    images: passed over in training, repeats counted.
    weights: the shared weights after training: the trainer's own tensors, good until it trains the next client.
    payloads: what each member reports. adapted: scores on the client's test images right after training.
    audit: what the members' inner values are worth against true labels, by `<member>.<name>`.
    """

    examples: int
    images: int
    loss: float
    weights: Payload
    payloads: Mapping[str, Payload]
    state: dict[str, dict[str, State]]
    adapted: Scores | None = None
    audit: Mapping[str, float] = field(default_factory=dict)
