"""DenseNet-121 (Huang et al., CVPR 2017, arXiv 1608.06993), MONAI's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from fedmed.models.net import Model, Net


@dataclass(frozen=True, kw_only=True)
class DenseNet121(Model):
    """DenseNet-121 with batch normalisation, 7.0 million parameters; features (B, 1024)."""

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    @property
    def min_side(self) -> int:
        return 61

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets import densenet

        whole = densenet.DenseNet121(spatial_dims=2, in_channels=channels, out_channels=outputs)
        pool = nn.Sequential(OrderedDict(list(whole.class_layers.named_children())[:-1]))
        features = nn.Sequential(OrderedDict(blocks=whole.features, pool=pool))
        return Net(features, whole.get_submodule("class_layers.out"))
