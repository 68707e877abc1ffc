"""Layers with a low-rank update: the layer's own weight, which is never trained, plus a product of two thin matrices.

Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models. ICLR 2022, arXiv 2106.09685.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod, sqrt
from typing import Any, TypeGuard, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

Plain = nn.Linear | nn.Conv2d
P = TypeVar("P", nn.Linear, nn.Conv2d)


class LowRankLinear(nn.Linear):
    """h = W0 x + b + gamma B (A x), with the parameters W0 (d, k) and b of a layer, which get no gradient.

    lora_A: (r, k), drawn from torch's generator. lora_B: (d, r), zero, so that outputs are the layer's at first.
    """

    def __init__(self, base: nn.Linear, rank: int, gamma: float) -> None:
        super().__init__(base.in_features, base.out_features)
        _take(self, base)
        self.gamma = gamma
        self.lora_A = nn.Parameter(draw(torch.Size([rank, base.in_features])).to(base.weight))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + self.gamma * F.linear(F.linear(input, self.lora_A), self.lora_B)

    def merged(self) -> nn.Linear:
        """A plain layer with W0 + gamma B A."""
        plain = skip_init(nn.Linear, self.in_features, self.out_features)
        assert isinstance(plain, nn.Linear)
        return _merged(self, plain)

    def reset_parameters(self) -> None:
        """Draws nothing: the parameters are another layer's."""


class LowRankConv2d(nn.Conv2d):
    """W0 * x + b + gamma B * (A * x), with the parameters W0 (d, c, p, q) and b of a layer, which get no gradient.

    lora_A: r filters (r, c, p, q) with the layer's stride, padding and dilation, drawn from torch's generator.
    lora_B: a convolution of one pixel (d, r, 1, 1), zero, so that outputs are the layer's at first.
    """

    def __init__(self, base: nn.Conv2d, rank: int, gamma: float) -> None:
        super().__init__(**_options(base))
        _take(self, base)
        self.gamma = gamma
        self.lora_A = nn.Parameter(draw(torch.Size([rank, *base.weight.shape[1:]])).to(base.weight))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_channels, rank, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        thin = self._conv_forward(input, self.lora_A, None)
        return super().forward(input) + self.gamma * F.conv2d(thin, self.lora_B)

    def merged(self) -> nn.Conv2d:
        """A plain convolution with W0 + gamma B A in the shape of W0."""
        plain = skip_init(nn.Conv2d, **_options(self))
        assert isinstance(plain, nn.Conv2d)
        return _merged(self, plain)

    def reset_parameters(self) -> None:
        """Draws nothing: the parameters are another layer's."""


LowRank = LowRankLinear | LowRankConv2d


def adaptable(net: nn.Module) -> dict[str, Plain]:
    """The layers that can have a low-rank update, by name: linear ones, and convolutions that are not grouped.

    Those of derived classes are none: they may use their weight otherwise, as the projection of torch's attention does.
    """
    return {name: m for name, m in net.named_modules() if type(m) is nn.Linear or _ungrouped(m)}


def with_update(layer: Plain, rank: int, gamma: float) -> LowRank:
    """A layer that holds the very parameters of this one and has an update of that rank."""
    if isinstance(layer, nn.Conv2d):
        return LowRankConv2d(layer, rank, gamma)
    return LowRankLinear(layer, rank, gamma)


def low_rank_layers(net: nn.Module) -> Iterator[LowRank]:
    """All layers of the net that have an update."""
    return (module for module in net.modules() if isinstance(module, LowRankLinear | LowRankConv2d))


def full_rank(layer: Plain) -> int:
    """The largest rank that a change of the layer's weight can have: min(d, k)."""
    return min(len(layer.weight), prod(layer.weight.shape[1:]))


def draw(shape: torch.Size, generator: torch.Generator | None = None) -> Tensor:
    """An A of that shape (r, ...), entries N(0, 1/k) with k of them in a row; from torch's own generator for None."""
    rows, k = shape[0], prod(shape[1:])
    return (torch.randn(rows, k, generator=generator) / sqrt(k)).view(shape)


def update_norm(layer: LowRank) -> Tensor:
    """||gamma B A||_F, scalar, without making the product."""
    a, b = layer.lora_A.detach().flatten(1), layer.lora_B.detach().flatten(1)
    # ||B A||_F^2 = <B^T B, A A^T>
    norm: Tensor = ((b.T @ b) * (a @ a.T)).sum().clamp(min=0).sqrt() * layer.gamma
    return norm


def _ungrouped(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    return type(module) is nn.Conv2d and module.groups == 1


def _take(layer: Plain, base: Plain) -> None:
    own = dict(base.named_parameters(recurse=False))
    for name in ("weight", "bias"):
        layer.register_parameter(name, own.get(name))
    layer.train(base.training)
    for parameter in base.parameters():
        parameter.requires_grad_(False)


def _options(layer: nn.Conv2d) -> dict[str, Any]:
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    return {name: getattr(layer, name) for name in names}


def _merged(layer: LowRank, plain: P) -> P:
    # W0 + gamma (B A).view(d, c, p, q)
    update = layer.gamma * (layer.lora_B.detach().flatten(1) @ layer.lora_A.detach().flatten(1))  # (d, k)
    plain.weight = nn.Parameter(layer.weight.detach() + update.view(layer.weight.shape))
    plain.register_parameter("bias", None if layer.bias is None else nn.Parameter(layer.bias.detach().clone()))
    return plain.train(layer.training)
