"""Which file is the mask of which image, by the words in folders and names: `images/a.jpg`, `masks/a_mask.png`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from fedmed.data.reading.paths import NamedFile
from fedmed.options.mask_words import MASK_TAIL, MASK_WORD, names_mask

IMAGE_WORD = re.compile(r"^(images?|imgs?|imaging|scans?|original)(?=$|[\W_]|\d)", re.IGNORECASE)


class Case(NamedTuple):
    """One image: its path without the endings of channels, and its files, one per channel (None where it lacks one)."""

    image: NamedFile
    files: tuple[NamedFile | None, ...]


class Pairs(NamedTuple):
    """Cases, the mask of each (None where it has none), and masks that no case has."""

    cases: Sequence[Case]
    masks: Sequence[NamedFile | None]
    alone: Sequence[NamedFile]


def is_mask(file: NamedFile) -> bool:
    """Whether folders or name say that a file is a mask."""
    return names_mask(PurePosixPath(file.path), file.stem)


def paired(files: Iterable[NamedFile], tail: str = "", channels: Sequence[str] = ()) -> Pairs:
    """Cases and their masks, by what is left of their paths without the words that tell them apart.

    tail: how names of masks end, or the name of their folder, instead of the usual words.
    channels: how the names of each channel's files end, such as `_t1` and `_flair`.
    """
    images: list[NamedFile] = []
    masks: dict[tuple[str, ...], NamedFile] = {}
    alone: list[NamedFile] = []
    for file in files:
        if not (_is_named(file, tail) if tail else is_mask(file)):
            images.append(file)
            continue
        key = key_of(file, tail)
        alone += [masks[key]] if key in masks else []
        masks[key] = file
    cases = grouped(images, channels)
    keys = [key_of(case.image) for case in cases]
    alone += [mask for key, mask in masks.items() if key not in set(keys)]
    return Pairs(cases, [masks.get(key) for key in keys], alone)


def key_of(file: NamedFile, tail: str = "") -> tuple[str, ...]:
    """What an image and its mask have in common."""
    stem = file.stem[: -len(tail)] if tail and file.stem.lower().endswith(tail.lower()) else file.stem
    folders = [folder for folder in file.folders if folder.lower() != tail.lower()] if tail else list(file.folders)
    words = [MASK_WORD.sub("", IMAGE_WORD.sub("", word)) for word in (*folders, MASK_TAIL.sub("", stem))]
    return tuple(word.lower() for word in words if word)


def _is_named(file: NamedFile, tail: str) -> bool:
    lower = tail.lower()
    return file.stem.lower().endswith(lower) or lower in (folder.lower() for folder in file.folders)


def grouped(images: Sequence[NamedFile], channels: Sequence[str]) -> list[Case]:
    """The cases that files make: each its own, or those together whose names differ in the endings of channels only.

    Files with none of these endings are left out.
    """
    if not channels:
        return [Case(image, (image,)) for image in images]
    cases: dict[NamedFile, list[NamedFile | None]] = {}
    for file in images:
        endings = [n for n, ending in enumerate(channels) if file.stem.lower().endswith(ending.lower())]
        if endings:
            channel = max(endings, key=lambda n: len(channels[n]))
            case = file._replace(stem=file.stem[: -len(channels[channel])])
            cases.setdefault(case, [None] * len(channels))[channel] = file
    return [Case(case, tuple(found)) for case, found in cases.items()]
