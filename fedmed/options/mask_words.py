"""Words by which files and columns say that they are masks; what is known before any image is read."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path, PurePath

MASK_WORD = re.compile(
    r"^(masks?|labels?|segmentations?|segs?|gts?|ground[ _-]?truths?|annotations?|manual)(?=$|[\W_]|\d)", re.IGNORECASE
)
"""How folders of masks, or files that are one, begin."""

MASK_TAIL = re.compile(
    r"[ _.-](masks?|labels?|seg|segmentation|gt|ground[ _-]?truth|annotation|manual\d*)$", re.IGNORECASE
)
"""How names of masks end."""

MASK_COLUMNS = ("mask", "maskpath", "maskfile", "segmentation", "segmentationpath", "annotationpath")
"""Columns of masks, in small letters without blanks and marks."""

MOST = 20_000
"""Files of a folder that are looked at."""


def names_mask(path: PurePath, stem: str) -> bool:
    """Whether the folders of a relative path, or the name without its ending, say that a file is a mask."""
    return (
        any(MASK_WORD.match(folder) for folder in path.parent.parts)
        or MASK_TAIL.search(stem) is not None
        or MASK_WORD.fullmatch(stem) is not None
    )


def has_masks(path: Path) -> bool:
    """Whether there are files of masks in a folder, or a column of masks in a table (CSV or TSV)."""
    try:
        if path.is_dir():
            found = (Path(folder, name).relative_to(path) for folder, _, names in os.walk(path) for name in names)
            return any(names_mask(file, re.sub(r"(\.nii)?\.\w+$", "", file.name)) for file in islice(found, MOST))
        with path.open(encoding="utf-8-sig") as file:
            columns = re.split(r"[\t,;]", file.readline())
    except (OSError, UnicodeDecodeError):  # reported when it is read
        return False
    return any(re.sub(r"[\W_]", "", column.lower()) in MASK_COLUMNS for column in columns)
