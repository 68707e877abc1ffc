"""What runs kept to be looked at, and the tables of images that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import Comparison
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.images.captions import Caption
from fedmed.report.images.outlines import image_uri, outline
from fedmed.rundir.kept_images import ImagePanel, KeptImages, load


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCell:
    """One cell: an image with outlines, or words, or both.

    image: number among the page's images, or None. side: its pixels. lines: kind (truth, ours) and path. words: below.
    """

    image: int | None = None
    side: int = 0
    lines: tuple[tuple[str, str], ...] = ()
    words: tuple[Caption, ...] = ()


class ImageRow(NamedTuple):
    """One view of all images of a board. aside: text below its name. arm: whose it is, or nobody's."""

    name: str
    cells: Sequence[ImageCell]
    aside: str = ""
    arm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGrid:
    """A table of images: a column per image, a row per view of it. columns: over them, or nothing."""

    title: str
    note: str
    rows: Sequence[ImageRow]
    columns: Sequence[str] = ()
    outlined: bool = False


@dataclass(slots=True)
class SharedImages:
    """Every image of a page, once: number by address; and the edges of every mask, by what it holds."""

    uris: dict[str, int] = field(default_factory=dict)
    edges: dict[bytes, str] = field(default_factory=dict)

    def add(self, x: NDArray[np.uint8]) -> int:
        """The number of an image on the page; the same image has one number."""
        return self.uris.setdefault(image_uri(x), len(self.uris))

    def outline(self, mask: NDArray[np.bool_]) -> str:
        """The edges of a mask as the d of an SVG path."""
        key = repr(mask.shape).encode() + np.packbits(mask).tobytes()
        if key not in self.edges:
            self.edges[key] = outline(mask)
        return self.edges[key]


@dataclass(frozen=True, slots=True)
class ArmImages:
    """The images that each arm kept in one world, for one seed."""

    arms: Mapping[str, KeptImages]
    seed: int

    @property
    def first(self) -> KeptImages:
        """Of the first arm: kind and names are the same for all."""
        return next(iter(self.arms.values()))

    def panels(self, name: str) -> dict[str, ImagePanel]:
        """A panel by arm, of the arms that show the images that the first one shows."""
        found = {arm: panel for arm, shown in self.arms.items() if (panel := getattr(shown, name)) is not None}
        first = next(iter(found.values()), None)
        return {arm: p for arm, p in found.items() if first is not None and np.array_equal(p.x, first.x)}


def arm_images(comparison: Comparison, world: str, notes: list[str]) -> ArmImages | None:
    """What is shown of the seed for which most arms show anything; None where no run kept images.

    notes: gets what cannot be read.
    """
    found: dict[int, dict[str, KeptImages]] = {seed: {} for seed in comparison.seeds}
    for arm in comparison.arms:
        for run in series.arm_runs(comparison, world, arm):
            try:
                shown = load(run.path)
            except UserError as error:
                notes += [str(fault) for fault in error.faults]
                continue
            if shown is not None:
                found[run.seed][arm] = shown
    seed = max(found, key=lambda seed: len(found[seed]), default=None)
    return ArmImages(found[seed], seed) if seed is not None and found[seed] else None
