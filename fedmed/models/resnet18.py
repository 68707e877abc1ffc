"""ResNet-18 (He et al., CVPR 2016, arXiv 1512.03385), MONAI's blocks.

A step on one CPU thread with channels_last takes 1.15 times as long at 28 pixels and 0.9 times at 64 or more
(with stem_stride=2: 1.13 at 64, 0.92 at 128).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from fedmed.models.net import Model, Net
from fedmed.models.residual import residual_net


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
        return residual_net((2, 2, 2, 2), channels, outputs, self.stem_stride, dimensions)
