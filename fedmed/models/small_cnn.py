"""A small convolutional network for small images: two 5x5 convolutions and two linear layers.

Nearly the one of McMahan et al., AISTATS 2017, arXiv 1602.05629, with half the channels and a narrower linear layer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import gcd
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from fedmed.models.net import Model, Net, classifier


@dataclass(frozen=True, kw_only=True)
class SmallCnn(Model):
    """Two convolutions and two linear layers, 0.16 million parameters on 28x28 pixels, the default; features (B, 96).

    width: channels of the first convolution; the second has twice as many (at least 1).
    features: width of the feature vector that the head sees (at least 1).
    norm: normalisation after each convolution: none, batch, or group (8 groups, fewer where 8 does not divide width).
    dropout: probability of dropping a feature before the head (0 to below 1; 0: none).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    width: Annotated[int, Ge(1)] = 16
    features: Annotated[int, Ge(1)] = 96
    norm: Literal["none", "batch", "group"] = "none"
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    @property
    def min_side(self) -> int:
        return 4

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        last = 2 * self.width
        features = nn.Sequential(
            OrderedDict(
                block1=self._block(channels, self.width, dimensions),
                block2=self._block(self.width, last, dimensions),
                flatten=nn.Flatten(),
                linear=nn.Linear(last * (side // 4) ** dimensions, self.features),
                relu=nn.ReLU(),
            )
        )
        return Net(features, classifier(self.features, outputs, self.dropout))

    def _block(self, channels: int, width: int, dimensions: int) -> nn.Sequential:
        flat = dimensions == 2
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if flat else (nn.Conv3d, nn.BatchNorm3d)
        layers = OrderedDict[str, nn.Module](conv=conv(channels, width, 5, padding=2, bias=self.norm == "none"))
        if self.norm != "none":
            layers["norm"] = norm(width) if self.norm == "batch" else nn.GroupNorm(gcd(8, width), width)
        layers["pool"] = _Pool() if flat else nn.MaxPool3d(2)
        layers["relu"] = nn.ReLU()  # after pooling: the same values from a quarter of the work
        return nn.Sequential(layers)


class _Pool(nn.Module):
    """The largest of 2x2 pixels; without their places, which only a gradient needs, a processor takes half the time."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return torch.max_pool2d(x, 2)
        rows = torch.maximum(x[..., :-1:2, :], x[..., 1::2, :])
        return torch.maximum(rows[..., :-1:2], rows[..., 1::2])
