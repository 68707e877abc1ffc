"""Swin UNETR (Hatamizadeh et al., BrainLes at MICCAI 2021, arXiv 2201.01266), MONAI's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Interval
from torch import nn

from fedmed.errors import Fault
from fedmed.models.net import Model, Net

STEP = 12
"""What the width must be a multiple of, so that the heads of every stage divide it."""


@dataclass(frozen=True, kw_only=True)
class SwinUNETR(Model):
    """A shifted-window transformer with a convolutional decoder, 6.3 million parameters; features (B, width, H, W).

    width: channels of the finest level, a multiple of 12 (at least 12; the paper's is 48).
    window: side of the windows of attention in patches of two pixels (at least 2).
    dropout: probability of dropping a number after attention and perceptrons (0 to below 1; 0: none).
    drop_path: probability that an image skips the last block; earlier blocks less (0 to below 1; 0: none).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"segmentation"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    width: Annotated[int, Ge(12)] = 24
    window: Annotated[int, Ge(2)] = 7
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    drop_path: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        if "width" not in wrong and self.width % STEP:
            nearest = max(round(self.width / STEP), 1) * STEP
            yield Fault("model.width", f"a multiple of {STEP}", str(self.width), f"Set {nearest}.")

    @property
    def min_side(self) -> int:
        return 64  # at 32 a single pixel is left in the middle, which instance normalisation refuses

    @property
    def multiple(self) -> int:
        return 32

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets import swin_unetr

        whole = swin_unetr.SwinUNETR(
            spatial_dims=dimensions,
            in_channels=channels,
            out_channels=outputs,
            feature_size=self.width,
            window_size=self.window,
            drop_rate=self.dropout,
            dropout_path_rate=self.drop_path,
        )
        head = whole.out
        whole.add_module("out", nn.Identity())
        return Net(nn.Sequential(OrderedDict(body=whole)), head)
