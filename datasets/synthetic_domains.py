"""Synthetic lesions in five styles, a site each; classes fall into sub-classes that look unlike one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Generator, Tensor

from fedmed.data.examples import Dataset, Examples, Table, Task
from fedmed.data.lesions import LOOKS, paint_lesions
from fedmed.data.painting import paint_table, spread_points
from fedmed.data.shift import StyleShift
from fedmed.data.styles import STYLES
from fedmed.rng import generator, seed_of

KEY = "synthetic_domains"


@dataclass(frozen=True, kw_only=True)
class SyntheticDomains(Dataset):
    """RGB lesions at five sites, each in a style of its own: plain, textured, coloured, inverted, coarse.

    images: training and validation images of all sites together (a tenth is for validation).
    test_images: test images of all sites together.
    side: image side in pixels.
    classes: number of classes.
    variants: sub-classes of each class, which have nothing in common but their label (>= 1).
    difficulty: how far the styles are from plain, the strength of `shift=style` (0: all sites are plain, 1: as far as
        sets of digits are apart; also beyond).
    separation: distance between the sub-classes' looks (0: no difference, 1: the whole range).
    jitter: spread within a sub-class, on the scale of separation (0: none).
    noise: deviation of the pixel noise, brightness 0 to 1 (0: none).
    seed: seed of the classes, the images and the styles.
    """

    task: ClassVar[Task] = "multiclass"
    images: Annotated[int, Ge(1)] = 1000
    test_images: Annotated[int, Ge(1)] = 1000
    side: Annotated[int, Ge(8)] = 28
    classes: Annotated[int, Ge(2)] = 5
    variants: Annotated[int, Ge(1)] = 2
    difficulty: Annotated[float, Ge(0)] = 1.0
    separation: Annotated[float, Interval(ge=0, le=1)] = 1.0
    jitter: Annotated[float, Ge(0)] = 0.05
    noise: Annotated[float, Ge(0)] = 0.03
    seed: int = 0

    def load(self) -> Table:
        """Paints all images; the same bits for the same options."""
        ranks = spread_points(self.classes * self.variants, len(LOOKS), generator(self.seed, KEY, "classes"))
        points = 0.5 + self.separation * (ranks - 0.5)  # (classes * variants, looks)
        plain = paint_table(
            lambda n, rng: self._paint(n, rng, points),
            task=self.task,
            class_names=tuple(map(str, range(self.classes))),
            images=self.images,
            test_images=self.test_images,
            sites=len(STYLES),
            seed=self.seed,
            key=KEY,
        )
        return replace(plain, examples=Examples(self._styled(plain), plain.examples.y), site_names=STYLES)

    def _paint(self, n: int, rng: Generator, points: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, side, side) and classes (n,)."""
        kind = torch.randint(len(points), (n,), generator=rng)
        looks = points[kind] + self.jitter * torch.randn(n, len(LOOKS), generator=rng)
        return paint_lesions(looks, self.side, self.noise, rng), kind % self.classes

    def _styled(self, plain: Table) -> Tensor:
        """The images (N, 3, H, W) in their sites' styles; each split is styled alone, so that none shows another's."""
        x = plain.examples.x.repeat(1, 3, 1, 1)
        style = StyleShift(strength=self.difficulty)
        assert plain.split is not None
        assert plain.site is not None
        for split in np.unique(plain.split):
            for site in np.unique(plain.site):
                rows = torch.from_numpy(np.flatnonzero((plain.split == split) & (plain.site == site)))
                x[rows] = style.apply(x[rows], int(site), seed_of(self.seed, KEY, "style", int(split)))
        return x
