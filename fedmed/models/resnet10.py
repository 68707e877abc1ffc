"""ResNet-10: ResNet-18 (He et al., CVPR 2016, arXiv 1512.03385) with one block in each stage, for few images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from fedmed.models.net import Model, Net
from fedmed.models.residual import residual_net


@dataclass(frozen=True, kw_only=True)
class ResNet10(Model):
    """ResNet-10 with batch normalisation, 4.9 million parameters; features (B, 512).

    stem_stride: stride of the first convolution (1 keeps small images sharp; 2 is for about 224 pixels, three times as
       fast).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    stem_stride: Annotated[int, Interval(ge=1, le=2)] = 1

    @property
    def min_side(self) -> int:
        return 16 * self.stem_stride + 1

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        return residual_net((1, 1, 1, 1), channels, outputs, self.stem_stride, dimensions)
