"""What clients are: what each holds, how all of them train, and what a trainer of theirs is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from fedmed.client.precision import Precision
from fedmed.compression import Compression, NoneCompression
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.method import Chain
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.tasks import Task


class ClientData(Protocol):
    """What one client holds: its training, validation and test images, with the labels that it was given.

    audit: the validation images with their true labels, and truth: those of the training images, shaped as `train.y`;
    both None where the simulation does not know them, or nobody asks. own_val: validation images that methods may look
    at, which are not among `val`; None where no method needs them.
    """

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
    @property
    def own_val(self) -> Examples | None: ...


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
class TrainerSpec:
    """What a trainer of a run's clients is made of, wherever it runs; can be pickled where its parts can.

    net: with its initial weights; the local part of a client that never trained starts from these.
    chain: the run's methods. task: what labels mean. training: how every client trains.
    share: what a client holds, by its number.
    normalise: stored pixels (B, C, H, W) -> float batch (B, C, H, W).
    seed: of the run; every generator of a client's round comes from it.
    channels_last: whether batches lie in memory by pixel, as the net's weights then do.
    patch: side of the patches that are cut from images to train on; None for whole images.
    """

    net: Net
    chain: Chain
    task: Task
    training: Training
    share: Callable[[int], ClientData]
    normalise: Callable[[Tensor], Tensor] = Tensor.float
    seed: int = 0
    channels_last: bool = False
    patch: int | None = None
