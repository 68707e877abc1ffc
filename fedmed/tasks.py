"""Tasks: what a label means, how many logits it needs, and the loss over the annotated entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits, y) -> the loss of every annotated entry, not reduced; shape of `y`."""


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What the labels mean.

    classes: number of classes, findings, or mask values (background included).
    names: one name per class, in order; empty when unknown.
    tolerance: how far surfaces of masks may be apart and yet agree (mm, or pixels where the spacing is not known).
    entrywise: the user's own loss per entry; None for the task's usual one.
    """

    kind: ClassVar[str]
    classes: int
    names: tuple[str, ...] = ()
    tolerance: float = 1.0
    entrywise: Loss | None = field(default=None, compare=False)

    @property
    def outputs(self) -> int:
        """Number of logits per example or pixel."""
        return self.classes

    def loss(self, logits: Tensor, y: Tensor, seen: Tensor | None) -> Tensor:
        """Mean loss over the annotated entries, scalar; exactly 0 (with a gradient of 0) when there is none.

        logits: (B, C), (B, C, H, W) or (B, C, D, H, W). y, seen: see `fedmed.data.examples.Examples`.
        """
        if seen is None and self.entrywise is None:
            return self.mean_loss(logits, y)
        entries = (self.entrywise or self.entry_loss)(logits, y)
        if seen is None:
            return entries.mean()
        mask = seen.expand_as(entries)
        return (entries * mask).sum() / mask.sum().clamp(min=1)

    @abstractmethod
    def mean_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The usual loss, averaged over all entries, scalar."""

    @abstractmethod
    def entry_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The usual loss of every entry, shape of `y`."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """Class probabilities, shape of `logits`."""


@dataclass(frozen=True, kw_only=True)
class MultiClass(Task):
    """One class per image; y (B,) int64; cross-entropy."""

    kind: ClassVar[str] = "multiclass"

    def mean_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y)

    def entry_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


@dataclass(frozen=True, kw_only=True)
class MultiLabel(Task):
    """Any number of findings per image; y (B, L) float32 in {0, 1}; binary cross-entropy per finding."""

    kind: ClassVar[str] = "multilabel"

    def mean_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, y)

    def entry_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, y, reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


@dataclass(frozen=True, kw_only=True)
class Segmentation(Task):
    """One class per pixel; y (B, H, W) or (B, D, H, W) integers; cross-entropy plus soft Dice (mean over its classes).

    The Dice term follows Milletari et al., V-Net, 3DV 2016, arXiv 1606.04797, on softmax probabilities.
    """

    kind: ClassVar[str] = "segmentation"

    def mean_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y.long()) + soft_dice_loss(logits, y, None)

    def loss(self, logits: Tensor, y: Tensor, seen: Tensor | None) -> Tensor:
        if seen is None or self.entrywise is not None:
            return super().loss(logits, y, seen)
        return super().loss(logits, y, seen) + soft_dice_loss(logits, y, seen)

    def entry_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y.long(), reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


def soft_dice_loss(logits: Tensor, y: Tensor, seen: Tensor | None) -> Tensor:
    """1 - mean soft Dice over the foreground classes present in the annotated part of the batch, scalar.

    logits: (B, C, H, W) or (B, C, D, H, W). y: without C. seen: broadcastable to y, or None. 0 when no foreground is
    annotated.
    """
    pixels = [0, *range(2, logits.dim())]
    p = logits.softmax(1)[:, 1:]  # (B, C-1, H, W)
    truth = F.one_hot(y.long(), logits.shape[1]).movedim(-1, 1)[:, 1:].to(p.dtype)  # (B, C-1, H, W)
    if seen is not None:
        mask = seen.expand_as(y).unsqueeze(1)
        p, truth = p * mask, truth * mask
    overlap = (p * truth).sum(pixels)  # (C-1,)
    present = truth.sum(pixels)
    dice = 2 * overlap / (p.sum(pixels) + present + 1e-6)
    chosen = present > 0
    return torch.where(chosen, 1 - dice, torch.zeros_like(dice)).sum() / chosen.sum().clamp(min=1)


TASKS: dict[str, type[Task]] = {kind.kind: kind for kind in (MultiClass, MultiLabel, Segmentation)}
