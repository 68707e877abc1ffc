"""How files become images of one size: what the user said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fedmed.data.reading.formats.contract import Axis
from fedmed.data.reading.intensity import Intensity
from fedmed.data.reading.masks import MaskReading


@dataclass(frozen=True, kw_only=True)
class Slicing:
    """Which slices of volumes become images.

    axis: None refuses volumes. step: every how-manieth. neighbours: how many slices on either side become channels.
    drop_empty: whether slices without any class but background are left out.
    """

    axis: Axis | None = None
    step: int = 1
    neighbours: int = 0
    drop_empty: bool = False


@dataclass(frozen=True, kw_only=True)
class PixelReading:
    """How files become images.

    colour: grey, rgb, or auto (RGB where any file has colours). side: of the images in pixels; None: as they are.
    """

    colour: Literal["auto", "grey", "rgb"] = "auto"
    intensity: Intensity = field(default_factory=Intensity)
    side: int | None = None
    fit: Literal["resize", "pad", "crop"] = "resize"
    slicing: Slicing = field(default_factory=Slicing)
    masks: MaskReading = field(default_factory=MaskReading)
    on_error: Literal["fail", "skip"] = "fail"
