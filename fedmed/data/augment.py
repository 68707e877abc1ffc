"""Augmentation: another view of a training batch, made in one batched step; masks move with their images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, radians
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed.errors import refuse
from fedmed.options.base import Options


@dataclass(frozen=True, kw_only=True)
class Augment(Options, ABC):
    """How training batches are varied."""

    @property
    def moves(self) -> bool:
        """Whether it moves what an image shows, and masks with it."""
        return True

    @abstractmethod
    def apply(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Varied images and their labels; the inputs stay as they are.

        x: (B, C, H, W) float, or volumes (B, C, D, H, W). y: labels; masks (B, H, W) or (B, D, H, W) move with the
        images, others come back as they are.
        generator: on the processor (CPU); the only source of randomness.
        """


@dataclass(frozen=True, kw_only=True)
class NoneAugment(Augment):
    """Leaves every image as it is."""

    @property
    def moves(self) -> bool:
        return False

    def apply(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return x, y


@dataclass(frozen=True, kw_only=True)
class StandardAugment(Augment):
    """Random mirroring, rotation, translation, scaling, gamma, blur, resolution, brightness, noise, for every image.

    Volumes are turned around their first axis, as a patient lies in a scanner, and moved along all three.
    flip: whether half of the images are mirrored left to right.
    rotate: largest rotation (degrees, 0 to 180, 0: none).
    translate: largest translation along each axis (share of the side, 0 to 1, 0: none).
    scale: largest change of size (share of the size, 0 to below 1, 0: none).
    brightness: largest constant that is added or subtracted (unit of the images, at least 0, 0: none).
    noise: deviation of the Gaussian noise (unit of the images, at least 0, 0: none).
    gamma: how far the exponent of the grey values, from 0 to 1 in each image, may be from 1: between 1 / (1 + gamma)
       and 1 + gamma (at least 0, 0: as they are).
    blur: largest deviation of the Gaussian blur (pixels, at least 0, 0: none).
    resolution: least share of the side that an image is sampled down to before it is brought back (above 0 to 1, 1:
       as it is).
    """

    flip: bool = True
    rotate: Annotated[float, Interval(ge=0, le=180)] = 10.0
    translate: Annotated[float, Interval(ge=0, le=1)] = 0.05
    scale: Annotated[float, Interval(ge=0, lt=1)] = 0.05
    brightness: Annotated[float, Ge(0)] = 0.1
    noise: Annotated[float, Ge(0)] = 0.0
    gamma: Annotated[float, Ge(0)] = 0.0
    blur: Annotated[float, Ge(0)] = 0.0
    resolution: Annotated[float, Interval(gt=0, le=1)] = 1.0

    @property
    def moves(self) -> bool:
        return bool(self.flip or self.rotate or self.translate or self.scale)

    def apply(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        draw = torch.rand(len(x), x.dim() + 2, generator=generator) * 2 - 1  # (B, 6), of volumes (B, 7), -1..1
        if self.moves:
            x, y = self._moved(x, y, draw)
        if self.gamma or self.blur or self.resolution < 1:
            x = self._taken(x, torch.rand(len(x), 3, generator=generator))
        if self.brightness:
            x = x + self.brightness * _each(draw[:, 5], x.dim()).to(x, non_blocking=True)
        if self.noise:
            x = x + self.noise * torch.randn(x.shape, generator=generator).to(x, non_blocking=True)
        return x, y

    def _moved(self, x: Tensor, y: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
        affine = self._affine(draw[:, :5], x.shape[-2] / x.shape[-1])
        affine = affine if x.dim() == 4 else self._deep(affine, draw)
        grid = F.affine_grid(affine.to(x, non_blocking=True), list(x.shape), align_corners=False)  # (B, H, W, 2)
        moved = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
        if y.ndim < 3:
            return moved, y
        mask = y.unsqueeze(1).to(x.dtype)
        mask = F.grid_sample(mask, grid, mode="nearest", padding_mode="reflection", align_corners=False)
        return moved, mask.squeeze(1).to(y.dtype)

    def _taken(self, x: Tensor, draw: Tensor) -> Tensor:
        """Images as another device would have taken them; draw: (B, 3), 0..1."""
        gamma, blur, resolution = draw.to(x, non_blocking=True).unbind(1)
        if self.gamma:
            x = _with_exponent(x, (1 + self.gamma) ** (2 * gamma - 1))
        if self.blur:
            x = _blurred(x, blur * self.blur, ceil(3 * self.blur))
        if self.resolution < 1:
            share = 1 - resolution * (1 - self.resolution)
            for axis in range(2, x.dim()):
                x = _sampled(x.transpose(2, axis), share).transpose(2, axis)
        return x

    def _affine(self, draw: Tensor, aspect: float) -> Tensor:
        """Where every pixel comes from, (B, 2, 3), in coordinates -1..1; aspect: height over width."""
        mirror, turn, size, right, down = draw.unbind(1)
        sign = torch.where(mirror < 0, -1.0, 1.0) if self.flip else torch.ones_like(mirror)
        angle, factor = turn * radians(self.rotate), 1 + size * self.scale
        cos, sin = angle.cos() / factor, angle.sin() / factor
        across = torch.stack([sign * cos, sign * -sin * aspect, 2 * self.translate * right], 1)
        along = torch.stack([sin / aspect, cos, 2 * self.translate * down], 1)
        return torch.stack([across, along], 1)

    def _deep(self, affine: Tensor, draw: Tensor) -> Tensor:
        """Where every pixel of a volume comes from, (B, 3, 4): its slices by `affine`, and along its first axis."""
        size, deep = draw[:, 2], draw[:, 6]
        none = torch.zeros_like(affine[:, :, :1])
        slices = torch.cat([affine[:, :, :2], none, affine[:, :, 2:]], 2)  # (B, 2, 4)
        along = torch.stack([none[:, 0, 0], none[:, 0, 0], 1 / (1 + size * self.scale), 2 * self.translate * deep], 1)
        return torch.cat([slices, along[:, None]], 1)


def _each(values: Tensor, dimensions: int) -> Tensor:
    """One value for each image (B,) as a tensor of so many dimensions."""
    return values.view(-1, *[1] * (dimensions - 1))


def _with_exponent(x: Tensor, exponent: Tensor) -> Tensor:
    """Images (B, C, ...) with their range, from 0 to 1, to a power of each image's own (B,)."""
    low, high = (_each(of, x.dim()) for of in x.flatten(1).aminmax(dim=1))
    span = (high - low).clamp(min=1e-6)
    return low + span * ((x - low) / span).pow(_each(exponent, x.dim()))


def _blurred(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Images (B, C, ...) under a Gaussian of each image's own deviation (B,), cut off at `radius`; edges repeated."""
    (batch, channels), sides = x.shape[:2], x.shape[2:]
    convolve = F.conv2d if len(sides) == 2 else F.conv3d
    across = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = (-(across**2) / (2 * sigma.clamp(min=1e-3)[:, None] ** 2)).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # (B * C, 2 radius + 1)
    flat = F.pad(x.reshape(1, batch * channels, *sides), (radius,) * 2 * len(sides), mode="replicate")
    for axis in reversed(range(len(sides))):
        shape = (2 * radius + 1 if other == axis else 1 for other in range(len(sides)))
        flat = convolve(flat, kernel.view(-1, 1, *shape), groups=batch * channels)
    return flat.view_as(x)


def _sampled(x: Tensor, share: Tensor) -> Tensor:
    """Images (B, C, H, ...) of which each keeps a share (B,) of its rows, brought back by linear interpolation."""
    height = x.shape[2]
    kept = (share * height).round().clamp(min=1)[:, None]  # (B, 1)
    at = (torch.arange(height, device=x.device, dtype=x.dtype) + 0.5) / height * kept - 0.5  # (B, H), in kept rows
    before = at.floor().clamp(min=0)
    after = torch.minimum(before + 1, kept - 1)
    shape = (len(x), 1, height, *[1] * (x.dim() - 3))
    one, other = (x.gather(2, ((row + 0.5) / kept * height).long().view(shape).expand_as(x)) for row in (before, after))
    return torch.lerp(one, other, (at - before).clamp(0, 1).view(shape))


def moves_images(augment: Augment) -> bool:
    """The augmentation's property `moves`; raises `UserError` unless it is a bool."""
    where, fix = f"augment={type(augment).__name__}, moves", "Write it as a @property that returns True or False."
    try:
        found = augment.moves
    except Exception as error:
        raise refuse(where, "True or False", f"{type(error).__name__}: {error}", fix) from error
    if not isinstance(found, bool):
        raise refuse(where, "True or False", type(found).__name__, fix)
    return found
