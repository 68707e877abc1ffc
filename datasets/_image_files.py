"""What folders and tables of images have in common: how files become images, and masks classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from fedmed.data.examples import Dataset, Table
from fedmed.data.reading.assembling import table_of
from fedmed.data.reading.intensity import Intensity
from fedmed.data.reading.labels import LabelReading
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.masks import MaskReading, pair_faults, pairs_of
from fedmed.data.reading.pixel_options import PixelReading, Slicing
from fedmed.errors import Fault, UserError, refuse


@dataclass(frozen=True, kw_only=True)
class ImageFiles(Dataset):
    """Images in files of their own.

    path: where they are; must be given.
    task: multiclass, multilabel, segmentation, or auto (masks, where there are some, are learnt rather than labels).
    mask: where masks are; auto: guessed; none: there are none.
    channels: the several files of one image, whose channels follow one another.
    names: of the classes, in order; of masks, the background first (empty: as the data have them).
    separator: what parts findings in one text, `[` for a list as Python writes it (empty: guessed).
    uncertain: what -1 says of a finding: not annotated (unseen), 0 or 1.
    blank: what an empty text says of a finding: not annotated (unseen) or 0.
    colour: grey, rgb, or auto (rgb where any file has colours).
    window: centre and width of the values that become 0..1, such as [40,400] in Hounsfield units (empty: none).
    own_window: whether each DICOM file's own window is applied.
    clip: percentiles of each file's values that become 0 and 1, such as [1,99] (empty: none).
    fit: how images of other shapes become squares of side dataset.resize: resize (stretched), pad or crop.
    mask_values: classes of the values in masks, such as [0:0,128:1,255:2] (empty: the values are the classes).
    mask_threshold: values of masks above it are class 1, others background (null: none).
    slices: the direction of the slices of volumes that become images (null: volumes are refused).
    slice_step: every how-manieth slice becomes an image (>= 1).
    slice_neighbours: how many slices on either side become channels of the image (>= 0).
    drop_empty: whether slices without any class but background are left out.
    cache: whether decoded images are kept on disk, under $FEDMED_CACHE or ~/.cache/fedmed, and read from there while
        they train, so that they need not fit into memory: on, off, or auto (where the files have more than 64 MB).
    on_error: whether files that cannot be read are refused (fail) or left out (skip).
    """

    path: str = ""
    task: Literal["auto", "multiclass", "multilabel", "segmentation"] = "auto"
    mask: str = "auto"
    channels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    separator: str = ""
    uncertain: Literal["unseen", "0", "1"] = "unseen"
    blank: Literal["unseen", "0"] = "unseen"
    colour: Literal["auto", "grey", "rgb"] = "auto"
    window: tuple[float, ...] = ()
    own_window: bool = False
    clip: tuple[float, ...] = ()
    fit: Literal["resize", "pad", "crop"] = "resize"
    mask_values: tuple[str, ...] = ()
    mask_threshold: float | None = None
    slices: Literal["axial", "coronal", "sagittal"] | None = None
    slice_step: Annotated[int, Ge(1)] = 1
    slice_neighbours: Annotated[int, Ge(0)] = 0
    drop_empty: bool = False
    cache: Literal["auto", "on", "off"] = "auto"
    on_error: Literal["fail", "skip"] = "fail"

    def load(self) -> Table:
        """The images as a table; raises UserError with all that cannot be used."""
        if not self.path:
            raise refuse("dataset.path", "a folder of images, or a table of them", "nothing", "Set dataset.path.")
        listing = self.listing()
        segmentation = self.task == "segmentation" or (self.task == "auto" and bool(listing.masks))
        if not segmentation and self.drop_empty:
            raise UserError(Fault("dataset.drop_empty", "false, as only masks tell which slices are empty", "true"))
        labels = LabelReading(
            task=self.task,
            names=self.names,
            separator=self.separator,
            uncertain=self.uncertain,
            blank=self.blank,
        )
        return table_of(listing, labels, self._reading(), self.cache, segmentation=segmentation)

    @abstractmethod
    def listing(self) -> Listing:
        """Which files there are, and what is known of each; raises UserError where that is not clear."""

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        yield from super()._conflicts(wrong)
        if wrong & {"window", "clip", "own_window", "mask_values", "mask_threshold"}:
            return
        for name, pair in (("window", self.window), ("clip", self.clip)):
            if len(pair) not in (0, 2):
                yield Fault(f"dataset.{name}", "two numbers", f"{len(pair)}", f"Write dataset.{name}=[1,99].")
        if self.window and (self.clip or self.own_window):
            yield Fault("dataset.window", "one of window, own_window and clip", "several", "Leave the others out.")
        if len(self.window) == 2 and self.window[1] <= 0:
            yield Fault("dataset.window", "a width > 0", str(self.window[1]))
        if len(self.clip) == 2 and not 0 <= self.clip[0] < self.clip[1] <= 100:
            yield Fault("dataset.clip", "two percentiles from 0 to 100, the lower first", f"{self.clip}")
        if self.mask_values and self.mask_threshold is not None:
            yield Fault("dataset.mask_threshold", "mask_values or mask_threshold", "both", "Leave one out.")
        yield from pair_faults(self.mask_values)

    def _reading(self) -> PixelReading:
        return PixelReading(
            colour=self.colour,
            intensity=Intensity(window=self.window, clip=self.clip, own_window=self.own_window),
            side=self.resize,
            fit=self.fit,
            slicing=Slicing(
                axis=self.slices,
                step=self.slice_step,
                neighbours=self.slice_neighbours,
                drop_empty=self.drop_empty,
            ),
            masks=MaskReading(values=pairs_of(self.mask_values), threshold=self.mask_threshold, names=self.names),
            on_error=self.on_error,
        )
