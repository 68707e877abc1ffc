"""ResNet-18 (He et al., CVPR 2016, arXiv 1512.03385), MONAI's blocks.

A step on one CPU thread with channels_last takes 1.15 times as long at 28 pixels and 0.9 times at 64 or more
(with stem_stride=2: 1.13 at 64, 0.92 at 128).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from fedmed.models.net import Model, Net, classifier


@dataclass(frozen=True, kw_only=True)
class ResNet18(Model):
    """ResNet-18 with batch normalisation, 11.2 million parameters; features (B, 512).

    stem_stride: stride of the first convolution (1 keeps small images sharp; 2 is the paper's, for about 224 pixels,
       three times as fast).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    stem_stride: Annotated[int, Interval(ge=1, le=2)] = 1

    @property
    def min_side(self) -> int:
        return 16 * self.stem_stride + 1

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets.resnet import ResNet

        # MONAI's own `resnet18` has shortcut type A, which cuts the gradient (`out.data`); B is the usual projection.
        features = ResNet(
            block="basic",
            layers=[2, 2, 2, 2],
            block_inplanes=[64, 128, 256, 512],
            spatial_dims=dimensions,
            n_input_channels=channels,
            conv1_t_stride=self.stem_stride,
            shortcut_type="B",
            bias_downsample=False,
            feed_forward=False,
        )
        return Net(features, classifier(512, outputs))
