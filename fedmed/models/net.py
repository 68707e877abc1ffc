"""The shape that every network takes, the contract of a model, and the scopes that name its parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import gcd
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fedmed.options.base import Options


class Net(nn.Module):
    """forward(x) = head(features(x)).

    Of volumes images are (B, C, D, H, W), and so on.

    features: (B, C, H, W) -> (B, F), or (B, F, H, W) for segmentation.
    head: what `features` gives -> logits (B, K), or (B, K, H, W) for segmentation.
    lowered: whether its passes compute in half precision.
    begun: which weights it got from a file and which not, in sentences; empty where file and net are each other's.
    """

    lowered: bool = False
    begun: str = ""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


@dataclass(frozen=True, kw_only=True)
class Model(Options, ABC):
    """A network to be built; each file in fedmed/models holds one subclass, whose fields are its options.

    A subclass says which `tasks` it is for, and one that takes volumes says so: `dimensions = frozenset({2, 3})`.

    weights: file of weights to start from, under its own names or those of torchvision, timm or MONAI: safetensors, or
       a torch file of tensors, or a run directory whose model was exported there (null: seeded random weights).
    freeze: what stays as it begins and is never sent: globs over weight names (features.*), or @head, or @norm; running
       statistics move all the same.
    channels_last: memory layout of weights and images; changes speed and the last bits, not the method.
    """

    tasks: ClassVar[frozenset[str]]
    dimensions: ClassVar[frozenset[int]] = frozenset({2})

    weights: str | None = None
    freeze: tuple[str, ...] = ()
    channels_last: bool = True

    @property
    def min_side(self) -> int:
        """Smallest side of an image in pixels at which a step on a single image works; a multiple of `multiple`."""
        return 1

    @property
    def multiple(self) -> int:
        """What the side of an image must be a multiple of, in pixels."""
        return 1

    @abstractmethod
    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        """A network for images (B, channels, side, side) with `outputs` logits; weights by torch's global generator.

        dimensions: 2, or 3 for volumes (B, channels, side, side, side); one of the model's `dimensions`.
        """


def by_pixel(dimensions: int) -> torch.memory_format:
    """The memory layout of images (2 dimensions) or volumes (3) in which a pixel's channels lie side by side."""
    return torch.channels_last if dimensions == 2 else torch.channels_last_3d


def classifier(width: int, outputs: int, dropout: float = 0.0) -> nn.Module:
    """A linear head on features (B, width), after dropout if there is any: logits (B, outputs)."""
    linear = nn.Linear(width, outputs)
    return nn.Sequential(OrderedDict(dropout=nn.Dropout(dropout), linear=linear)) if dropout else linear


def normalisation(name: str, *channels: int) -> tuple[str, dict[str, Any]]:
    """MONAI's words for batch, group or instance normalisation with scale and shift, of layers with these channels.

    Groups are 8, or fewer where 8 does not divide all of the channels.
    """
    options: dict[str, dict[str, Any]] = {
        "batch": {},
        "group": {"num_groups": gcd(8, *channels)},
        "instance": {"affine": True},
    }
    return name, options[name]


def scope(net: nn.Module, patterns: Iterable[str]) -> frozenset[str]:
    """Names of the state-dict entries that the patterns choose.

    A pattern is a glob over entry names (`head.*`), `@head` (the head), or `@norm` (every normalisation layer,
    affine parameters and running statistics). A pattern may choose nothing: the caller decides whether that is a fault.
    """
    names = list(net.state_dict())
    chosen: set[str] = set()
    for pattern in patterns:
        if pattern == "@norm":
            chosen.update(n for prefix in _norm_prefixes(net) for n in names if n.startswith(prefix))
        else:
            glob = "head.*" if pattern == "@head" else pattern
            chosen.update(n for n in names if fnmatchcase(n, glob))
    return frozenset(chosen)


def fixed(net: nn.Module) -> frozenset[str]:
    """Names of the parameters without a gradient: nobody trains them, so that they are never sent, averaged or kept."""
    return frozenset(n for n, p in net.named_parameters(remove_duplicate=False) if not p.requires_grad)


_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


def _norm_prefixes(net: nn.Module) -> list[str]:
    return [f"{name}." for name, module in net.named_modules() if isinstance(module, _NORMS) or _named_norm(module)]


def _named_norm(layer: nn.Module) -> bool:
    """Whether a library's own layer is a normalisation: one with weights, no layers inside, and Norm in its name."""
    return "Norm" in type(layer).__name__ and "weight" in dict(layer.named_parameters()) and not any(layer.children())
