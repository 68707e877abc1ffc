"""A model of one's own: two strided convolutions and a mean over the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import nn

from fedmed.models.net import Model, Net


@dataclass(frozen=True, kw_only=True)
class TinyNet(Model):
    """Two convolutions with stride 2, averaged over the image, and a linear head.

    width: channels of the first convolution; the second has twice as many (at least 1).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    width: Annotated[int, Ge(1)] = 8

    @property
    def min_side(self) -> int:
        """Two strides of 2 leave at least two pixels."""
        return 8

    def build(self, channels: int, outputs: int, side: int) -> Net:
        """The net for images (B, channels, side, side)."""
        features = nn.Sequential(
            nn.Conv2d(channels, self.width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(self.width, 2 * self.width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return Net(features, nn.Linear(2 * self.width, outputs))
