"""A small Vision Transformer (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929), MONAI's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Interval
from torch import Tensor, nn

from fedmed.errors import Fault
from fedmed.models.net import Model, Net, classifier


@dataclass(frozen=True, kw_only=True)
class ViT(Model):
    """A Vision Transformer with a class token, 0.31 million parameters on 28x28 pixels; features (B, width).

    patch: side of a patch in pixels; the side of images must be a multiple of it (at least 1; the paper's is 16, for
       224 pixels).
    width: numbers per patch; a multiple of heads (at least 1).
    depth: blocks of attention and perceptron (at least 1).
    heads: of the attention (at least 1).
    expansion: how many times as wide the perceptron is (at least 1; the paper's is 4).
    dropout: probability of dropping a number after attention, perceptron and embedding (0 to below 1; 0: none).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    patch: Annotated[int, Ge(1)] = 4
    width: Annotated[int, Ge(1)] = 96
    depth: Annotated[int, Ge(1)] = 4
    heads: Annotated[int, Ge(1)] = 4
    expansion: Annotated[int, Ge(1)] = 2
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        if not wrong & {"width", "heads"} and self.width % self.heads:
            nearest = max(round(self.width / self.heads), 1) * self.heads
            yield Fault("model.width", f"a multiple of model.heads={self.heads}", str(self.width), f"Set {nearest}.")

    @property
    def min_side(self) -> int:
        return self.patch

    @property
    def multiple(self) -> int:
        return self.patch

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets import vit

        whole = vit.ViT(
            in_channels=channels,
            img_size=side,
            patch_size=self.patch,
            hidden_size=self.width,
            mlp_dim=self.expansion * self.width,
            num_layers=self.depth,
            num_heads=self.heads,
            dropout_rate=self.dropout,
            spatial_dims=2,
            classification=True,
            post_activation="none",
        )
        whole.add_module("classification_head", nn.Identity())
        for block in whole.blocks:  # parts for cross-attention, which it never calls
            for name in ("norm_cross_attn", "cross_attn"):
                block.add_module(name, nn.Identity())
        features = nn.Sequential(OrderedDict(body=whole, token=_ClassToken()))
        return Net(features, classifier(self.width, outputs))


class _ClassToken(nn.Module):
    """The first of what MONAI's net gives: the class token (B, D), without what is inside."""

    def forward(self, given: tuple[Tensor, list[Tensor]]) -> Tensor:
        return given[0]
