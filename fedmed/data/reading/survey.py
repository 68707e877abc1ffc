"""What the headers of all files say, before any is decoded: sizes that differ, volumes, masks of another shape."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from fedmed.data.reading.formats import Header, UnreadableError, read_header
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.pixel_options import PixelReading
from fedmed.data.reading.problems import Problem, usable
from fedmed.errors import refuse

T = TypeVar("T")
R = TypeVar("R")

WORKERS = min(8, (os.cpu_count() or 1) + 1)
"""Threads that decode files: their libraries let go of the interpreter's lock meanwhile."""


class Surveyed(NamedTuple):
    """What all files together are.

    kept: which cases of the whole listing `listing` has.
    headers: of the first file of each case. whole: whether all pixels are uint8. channels: of one file.
    size: height and width of the images.
    """

    listing: Listing
    kept: Sequence[int]
    headers: Sequence[Header]
    whole: bool
    channels: Literal[1, 3]
    size: tuple[int, int]


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of the work in order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(work, items)


def survey(listing: Listing, reading: PixelReading) -> Surveyed:
    """Reads every header; raises UserError with all files that cannot be used, unless they are to be skipped."""
    found = list(in_threads(lambda case: _case(listing, case, reading), range(len(listing))))
    problems = [each for each in found if isinstance(each, Problem)]
    good = usable(len(listing), problems, reading.on_error)
    cases = [each for each in found if not isinstance(each, Problem)]
    headers = [case[0] for case in cases]
    every = [header for case in cases for header in case]
    listing = listing[good]
    if reading.side is None:
        _refuse_mixed(listing, headers)
    coloured = any(header.channels == 3 for header in every)
    channels: Literal[1, 3] = 3 if reading.colour == "rgb" or (reading.colour == "auto" and coloured) else 1
    size = (reading.side, reading.side) if reading.side else (headers[0].height, headers[0].width)
    return Surveyed(listing, good, headers, _whole(every, reading), channels, size)


def _whole(headers: Iterable[Header], reading: PixelReading) -> bool:
    return reading.intensity.leaves and all(header.whole for header in headers)


def _case(listing: Listing, case: int, reading: PixelReading) -> tuple[Header, ...] | Problem:
    """The headers of the files of a case, or what is wrong with one of them or its mask."""
    paths = listing.files[case]
    headers: list[Header] = []
    for path in paths:
        if isinstance(found := _header(case, path, reading), Problem):
            return found
        if headers and found[:3] != headers[0][:3]:
            return Problem(case, str(path), f"the shape of {paths[0].name}, {_shape(headers[0])}", _shape(found))
        headers.append(found)
    if headers[0].volume and reading.slicing.axis is None:
        fix = "Cut it into images: dataset.slices=axial (or coronal, sagittal)."
        return Problem(case, str(paths[0]), "images of two dimensions", f"a volume {_shape(headers[0])}", fix)
    mask = listing.masks[case] if listing.masks else None
    if mask is not None:
        if isinstance(found := _header(case, mask, reading), Problem):
            return found
        if found[:3] != headers[0][:3]:
            got, fix = _shape(found), "A mask has one value for each pixel of its image."
            return Problem(case, str(mask), f"the shape of {paths[0].name}, {_shape(headers[0])}", got, fix)
    return tuple(headers)


def _header(case: int, path: Path, reading: PixelReading) -> Header | Problem:
    try:
        return read_header(path, reading.slicing.axis or "axial")
    except UnreadableError as error:
        return Problem(case, str(path), "a file that can be read", error.got, error.fix)


def _shape(header: Header) -> str:
    size = f"{header.height} x {header.width}"
    return f"{header.slices} slices of {size}" if header.volume else size


def _refuse_mixed(listing: Listing, headers: Sequence[Header]) -> None:
    """Refuses images of several sizes, naming one of each."""
    sizes: dict[tuple[int, int], Path] = {}
    for header, files in zip(headers, listing.files, strict=True):
        sizes.setdefault((header.height, header.width), files[0])
    if len(sizes) > 1:
        shown = [f"{height} x {width} ({path})" for (height, width), path in list(sizes.items())[:3]]
        got = f"{len(sizes)} sizes: {', '.join(shown)}"
        fix = "Set dataset.resize to a side in pixels (dataset.fit=pad or crop keeps their shape)."
        raise refuse("dataset.resize", "images of one size", got, fix)
