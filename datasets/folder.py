"""Images of your own: a folder of class folders, of images with masks, or of any paths that a pattern describes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fedmed.data.reading.folder_listing import folder_listing
from fedmed.data.reading.listing import Listing
from fedmed.datasets._image_files import ImageFiles


@dataclass(frozen=True, kw_only=True)
class Folder(ImageFiles):
    """A folder of images: class folders, also below sites and splits, or images with masks.

    Of the options that every set of files has: mask may be how the names of masks end (`_seg`), the name of their
    folder, or a template with the names of the pattern; channels are how the names of the files of one image end.

    pattern: where what stands in paths, such as {site}/{class}/{patient}_{}.png, from dataset.path on; the names site,
        class, patient and split mean that, others are attributes, and {} is anything (empty: guessed and said).
    splits: whether folders named train, val and test divide the images (folders), or nothing does (none).
    """

    pattern: str = ""
    splits: Literal["folders", "none"] = "folders"

    def listing(self) -> Listing:
        root = Path(self.path).expanduser()
        found = folder_listing(root, pattern=self.pattern, mask=self.mask, channels=self.channels)
        return found if self.splits == "folders" else replace(found, split=())
