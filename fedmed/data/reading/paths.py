"""Files of images by their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
ARRAYS = (".npy",)
DICOM = (".dcm", ".dicom", ".ima")
NIFTI = (".nii.gz", ".nii")
SUFFIXES = (*PICTURES, *ARRAYS, *DICOM, *NIFTI)
"""Endings of the files that are read, in any case."""


class NamedFile(NamedTuple):
    """A file below a folder: its folders, its name without ending, and the ending."""

    folders: tuple[str, ...]
    stem: str
    suffix: str

    @property
    def path(self) -> str:
        """The path from the folder."""
        return "/".join((*self.folders, self.stem + self.suffix))


def named_file(path: str) -> NamedFile:
    """The parts of a relative path."""
    *folders, name = PurePosixPath(path).parts
    suffix = suffix_of(name) or PurePosixPath(name).suffix
    return NamedFile(tuple(folders), name.removesuffix(suffix) if suffix else name, suffix)


def suffix_of(name: str) -> str:
    """The ending by which an image is read, as written; empty for other files."""
    lower = name.lower()
    return next((name[-len(suffix) :] for suffix in SUFFIXES if lower.endswith(suffix)), "")


def image_files(root: Path) -> list[NamedFile]:
    """All files of images below a folder, sorted by path; what is hidden is left out, and links are followed once."""
    return [named_file(path) for path in sorted(_below(root))]


def _below(root: Path) -> Iterator[str]:
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        relative = Path(folder).relative_to(root)
        for name in names:
            if not name.startswith(".") and (suffix_of(name) or _is_dicom(Path(folder, name))):
                yield (relative / name).as_posix()


def _is_dicom(path: Path) -> bool:
    """Whether a file without any ending says that it is DICOM."""
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
