"""DynUNet, the network of nnU-Net (Isensee et al., Nature Methods 2021, arXiv 1904.08128), MONAI's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from fedmed.errors import refuse
from fedmed.models.net import Model, Net, normalisation


@dataclass(frozen=True, kw_only=True)
class DynUNet(Model):
    """The U-Net of nnU-Net, 0.47 million parameters; features (B, F, H, W), F channels[0].

    channels: channels per level, finest first; each level after the first halves the side (at least three levels;
       nnU-Net's are [32,64,128,256,320] and more).
    norm: normalisation after each convolution: batch, group (8 groups, fewer where 8 does not divide all of channels)
       or instance; each with learned scale and shift.
    residual: whether each level's two convolutions have a shortcut around them.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"segmentation"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    channels: tuple[int, ...] = (16, 32, 64, 128)
    norm: Literal["batch", "group", "instance"] = "instance"
    residual: bool = False

    def __post_init__(self) -> None:
        if len(self.channels) < 3 or min(self.channels) < 1:
            raise refuse(
                "model.channels",
                "three levels or more, each of 1 channel or more",
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
        from monai.networks.nets import dynunet

        levels = len(self.channels)
        whole = dynunet.DynUNet(
            spatial_dims=dimensions,
            in_channels=channels,
            out_channels=outputs,
            kernel_size=(3,) * levels,
            strides=(1, *(2,) * (levels - 1)),
            upsample_kernel_size=(2,) * (levels - 1),
            filters=self.channels,
            norm_name=normalisation(self.norm, *self.channels),
            res_block=self.residual,
        )
        # the whole holds each layer twice, by kind and by place; by place they are the network
        return Net(nn.Sequential(OrderedDict(skip_layers=whole.skip_layers)), whole.output_block)
