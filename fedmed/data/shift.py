"""Site shift: how images of one scanner or laboratory differ from another's; shapes and labels stay as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed.data.examples import Indices
from fedmed.data.painting import blurred
from fedmed.data.styles import STYLES, restyled
from fedmed.errors import refuse
from fedmed.options.base import Options
from fedmed.rng import generator

CHUNK, VOLUMES = 256, 8
"""Images, or volumes, in work at a time, which bounds the memory for their float copies."""


@dataclass(frozen=True, kw_only=True)
class Shift(Options, ABC):
    """How the images of the domains (clients or sites) differ.

    by: whether every client, every site or every group of clients is a domain of its own.
    groups: how many groups of neighbouring clients there are, for by=group (>= 1, at most as many as clients).
    seed: seed of the domains' properties (null: the run's seed).
    """

    by: Literal["client", "site", "group"] = "client"
    groups: Annotated[int, Ge(1)] = 2
    seed: int | None = None

    def domains(self, clients: int) -> Indices:
        """The domain of every client (clients,), where these are clients or groups of them."""
        return np.arange(clients) * self.groups // clients if self.by == "group" else np.arange(clients)

    def distinction(self, client: int, clients: int) -> str:
        """Which group's scanner the client has, in words; empty where there are no groups."""
        return f"scanner {self.domains(clients)[client]}" if self.by == "group" else ""

    @abstractmethod
    def apply(self, x: Tensor, domain: int, seed: int) -> Tensor:
        """The images as the domain would have taken them; its input stays as it is.

        x: (N, C, H, W) or (N, C, D, H, W), uint8, or float in 0..1; the result has the same type and range. domain:
        number of the client, group or site, whose properties depend on no other domain. seed: the run's seed. UserError
        for other values.
        """


@dataclass(frozen=True, kw_only=True)
class NoneShift(Shift):
    """No difference beyond the one that the images have."""

    def distinction(self, client: int, clients: int) -> str:
        return ""

    def apply(self, x: Tensor, domain: int, seed: int) -> Tensor:
        return x


@dataclass(frozen=True, kw_only=True)
class ScannerShift(Shift):
    """Every domain has its own gamma, bias field, blur, gain, offset and Rician noise, and for RGB its own colours.

    strength: how far the domains may differ (0 to 1, 0: not at all).
    """

    strength: Annotated[float, Interval(ge=0, le=1)] = 0.5

    def apply(self, x: Tensor, domain: int, seed: int) -> Tensor:
        if self.strength == 0:
            return x
        rng = generator(seed if self.seed is None else self.seed, "shift", domain)
        scanner = Scanner.draw(self.strength, x.shape[1], rng, x.dim() - 2)
        return _in_chunks(x, lambda part: scanner.take(part, rng))


@dataclass(frozen=True, kw_only=True)
class StyleShift(Shift):
    """The domains take turns at five styles: plain, textured, coloured, inverted with neighbours and blur, coarse.

    strength: how far the styles are from plain (at least 0, 0: not at all, 1: as far as sets of digits are apart).
    """

    strength: Annotated[float, Ge(0)] = 1.0

    def distinction(self, client: int, clients: int) -> str:
        if self.by == "site" or self.strength == 0:
            return ""
        return f"{self._style(int(self.domains(clients)[client]))} images"

    def apply(self, x: Tensor, domain: int, seed: int) -> Tensor:
        if self.strength == 0:
            return x
        if x.ndim != 4:
            raise refuse("shift", "images (N, C, H, W) for shift=style", f"{x.ndim} dimensions", "Use another shift.")
        rng = generator(seed if self.seed is None else self.seed, "shift", domain)
        return _in_chunks(x, lambda part: restyled(part, self._style(domain), self.strength, rng))

    @staticmethod
    def _style(domain: int) -> str:
        return STYLES[domain % len(STYLES)]


@dataclass(frozen=True, slots=True)
class Scanner:
    """The properties of one domain.

    gamma: exponent of the grey values. gain, offset: of the intensity, the range being 0..1.
    colour: (C, C) mixing of the channels, rows summing to the white balance.
    bias: (1, 1, 4, 4), of volumes (1, 1, 4, 4, 4), coarse sensitivity over the image, -1..1. bias_depth: its largest
        loss of intensity.
    blur: deviation (share of the side). noise: deviation of the Rician noise.
    """

    gamma: float
    gain: float
    offset: float
    colour: Tensor
    bias: Tensor
    bias_depth: float
    blur: float
    noise: float

    @classmethod
    def draw(cls, strength: float, channels: int, rng: torch.Generator, dimensions: int = 2) -> Scanner:
        """Properties between none (strength 0) and as far as images of different scanners are apart (strength 1).

        dimensions: 2, or 3 for volumes.
        """
        gamma, gain, offset, blur, noise, depth = torch.rand(6, generator=rng).tolist()
        bias = torch.rand(1, 1, *[4] * dimensions, generator=rng) * 2 - 1
        return cls(
            gamma=2.0 ** (strength * (2 * gamma - 1)),
            gain=1 + strength * (0.4 * gain - 0.3),
            offset=0.1 * strength * (offset - 0.5),
            colour=_colour(strength, channels, rng),
            bias=bias,
            bias_depth=strength * (0.2 + 0.4 * depth),
            blur=0.02 * strength * blur,
            noise=0.06 * strength * noise,
        )

    def take(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The images (N, C, H, W) or (N, C, D, H, W) in 0..1 as this scanner takes them, in 0..1."""
        smooth = "bicubic" if x.dim() == 4 else "trilinear"
        field = F.interpolate(self.bias, x.shape[2:], mode=smooth, align_corners=True).clamp(-1, 1)
        x = torch.einsum("dc,nc...->nd...", self.colour, x).clamp(0, 1) ** self.gamma
        x = x * (1 - self.bias_depth * (1 - field) / 2) * self.gain + self.offset
        x = blurred(x, self.blur * max(x.shape[2:])).clamp(0, 1)  # below 0 the Rician step would fold values over
        real, imaginary = torch.randn(2, *x.shape, generator=rng) * self.noise
        return torch.hypot(x + real, imaginary).clamp(0, 1)


def _colour(strength: float, channels: int, rng: torch.Generator) -> Tensor:
    """Mixing of the channels (C, C) that would keep greys grey, times a white balance; identity unless RGB."""
    if channels != 3:
        return torch.eye(channels)
    mixing = torch.rand(3, 3, generator=rng) - 0.5
    balance = 1 - 0.25 * strength * torch.rand(3, 1, generator=rng)
    return balance * (torch.eye(3) + 0.8 * strength * (mixing - mixing.mean(1, keepdim=True)))


def _in_chunks(x: Tensor, take: Callable[[Tensor], Tensor]) -> Tensor:
    """What `take` makes of images in 0..1, in the type that they have; raises UserError for other values."""
    if x.is_floating_point() and len(x) and not 0 <= x.min() <= x.max() <= 1:
        values = f"{x.min():.3g} to {x.max():.3g}"
        raise refuse("shift", "images of uint8, or of float from 0 to 1", values, "Rescale the images.")
    return torch.cat([_as(take(_unit(part)), x.dtype) for part in torch.split(x, CHUNK if x.dim() == 4 else VOLUMES)])


def _unit(x: Tensor) -> Tensor:
    return x.float() if x.is_floating_point() else x.float() / 255


def _as(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if dtype.is_floating_point else (x * 255).round().to(dtype)
