"""What arrives at a client for a round, what leaves it, and how every client trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from fedmed.client.precision import Precision
from fedmed.compression import Compression, NoneCompression
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.method import Payload, State
from fedmed.metrics import Scores
from fedmed.optimizers import Optimizer

LOCAL, OPTIMIZER, RESIDUAL = "@local", "@optimizer", "@residual"
"""Names in a client's state that are the engine's own; a member's name never begins with @."""


class ClientData(Protocol):
    """What one client holds."""

    @property
    def train(self) -> Examples: ...
    @property
    def val(self) -> Examples: ...
    @property
    def test(self) -> Examples: ...
    @property
    def audit(self) -> Examples | None: ...
    @property
    def truth(self) -> Tensor | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How every client trains.

    epochs: passes over the client's images; steps: optimizer steps instead of passes, or None.
    clip_norm: largest gradient norm, or None.
    precision: of passes through the net.
    compression: how what it learnt goes up.
    private: whether outputs and labels of single images stay at the client, whoever asks for them.
    """

    optimizer: Optimizer
    epochs: int = 1
    steps: int | None = None
    batch_size: int = 10
    clip_norm: float | None = None
    precision: Precision = "full"
    augment: Augment | None = None
    metrics: Sequence[Callable[..., float]] = ()
    compression: Compression = field(default_factory=NoneCompression)
    private: bool = False


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
