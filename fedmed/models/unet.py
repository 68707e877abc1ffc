"""U-Net (Ronneberger et al., MICCAI 2015, arXiv 1505.04597) with residual units (Kerfoot et al., STACOM 2018).

Built from MONAI's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from torch import nn

from fedmed.errors import refuse
from fedmed.models.net import Model, Net, normalisation


@dataclass(frozen=True, kw_only=True)
class UNet(Model):
    """A residual U-Net, 0.21 million parameters, the default for segmentation; features (B, F, H, W), F channels[0].

    channels: channels per level, finest first; each level after the first halves the side (at least two levels).
    norm: normalisation after each convolution: batch, group (8 groups, fewer where 8 does not divide all of channels)
       or instance; each with learned scale and shift.
    residual_units: convolutions per residual unit on the way down (0: plain convolutions without residual).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"segmentation"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    channels: tuple[int, ...] = (16, 32, 64, 128)
    norm: Literal["batch", "group", "instance"] = "batch"
    residual_units: Annotated[int, Ge(0)] = 1

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise refuse(
                "model.channels",
                "two levels or more, each of 1 channel or more",
                list(self.channels),
                "For example model.channels=[16,32,64,128].",
            )

    @property
    def min_side(self) -> int:
        return 2 * self.multiple

    @property
    def multiple(self) -> int:
        return int(2 ** (len(self.channels) - 1))

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.blocks.acti_norm import ADN
        from monai.networks.nets import unet

        width, norm = self.channels[0], normalisation(self.norm, *self.channels)
        body = unet.UNet(
            spatial_dims=dimensions,
            in_channels=channels,
            out_channels=width,
            channels=self.channels,
            strides=(2,) * (len(self.channels) - 1),
            num_res_units=self.residual_units,
            norm=norm,
            bias=False,  # every convolution is followed by a normalisation with a shift of its own
        )
        last = ADN(ordering="NA", in_channels=width, act="prelu", norm=norm, norm_dim=dimensions)
        head = nn.Conv2d if dimensions == 2 else nn.Conv3d
        return Net(nn.Sequential(OrderedDict(body=body, last=last)), head(width, outputs, 1))
