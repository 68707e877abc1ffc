"""SegResNet (Myronenko, BrainLes at MICCAI 2018, arXiv 1810.11654), without its autoencoder; MONAI's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from torch import nn

from fedmed.errors import refuse
from fedmed.models.net import Model, Net, normalisation


@dataclass(frozen=True, kw_only=True)
class SegResNet(Model):
    """An asymmetric residual network for masks, 0.40 million parameters; features (B, width, H, W).

    width: channels of the finest level, twice as many at each next (at least 1).
    blocks: residual units per level on the way down; each level after the first halves the side (at least two levels).
    norm: normalisation before each convolution: batch, group (8 groups, fewer where 8 does not divide width) or
       instance; each with learned scale and shift.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"segmentation"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    width: Annotated[int, Ge(1)] = 8
    blocks: tuple[int, ...] = (1, 2, 2, 4)
    norm: Literal["batch", "group", "instance"] = "group"

    def __post_init__(self) -> None:
        if len(self.blocks) < 2 or min(self.blocks) < 1:
            expected = "two levels or more, each of 1 residual unit or more"
            raise refuse("model.blocks", expected, list(self.blocks), "For example model.blocks=[1,2,2,4].")

    @property
    def min_side(self) -> int:
        return 2 * self.multiple

    @property
    def multiple(self) -> int:
        return int(2 ** (len(self.blocks) - 1))

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets import segresnet

        whole = segresnet.SegResNet(
            spatial_dims=dimensions,
            init_filters=self.width,
            in_channels=channels,
            out_channels=outputs,
            norm=normalisation(self.norm, self.width),
            blocks_down=self.blocks,
            blocks_up=(1,) * (len(self.blocks) - 1),
        )
        *last, head = whole.conv_final
        whole.conv_final = nn.Sequential(*last)
        return Net(nn.Sequential(OrderedDict(body=whole)), head)
