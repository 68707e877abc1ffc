"""All cases decoded by threads into one array of images and one of masks."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.data.reading.decoding import images_of, mask_of, slices_of
from fedmed.data.reading.formats import UnreadableError
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.masks import classes_of_masks, say_guess
from fedmed.data.reading.pixel_options import PixelReading
from fedmed.data.reading.problems import Problem, usable
from fedmed.data.reading.survey import Surveyed, in_threads
from fedmed.errors import refuse

WAIT = 1.0
"""Seconds between two words on the progress."""

SAVED = 10
"""Words on the progress between two savings of what was decoded."""


class Store(Protocol):
    """Where the arrays of a set are made."""

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """An array of zeros, or what an interrupted build has left of it."""
        ...

    def save(self, done: NDArray[np.bool_]) -> None:
        """Has all that was written so far outlast this process, and then what is marked as done."""
        ...


class MemoryStore:
    """Arrays in memory."""

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        return np.zeros(shape, dtype)

    def save(self, done: NDArray[np.bool_]) -> None:
        """Memory needs no saving."""


class Built(NamedTuple):
    """The images of a set.

    x: (N, C, H, W). y: masks (N, H, W), or None. case: of each image (N,), a row of `listing`; classes: of the masks.
    kept: which cases of the whole listing `listing` has.
    """

    listing: Listing
    kept: Sequence[int]
    x: Tensor
    y: Tensor | None
    case: NDArray[np.int64]
    classes: int


def build(surveyed: Surveyed, reading: PixelReading, store: Store) -> Built:
    """Decodes every file; raises UserError with all that are damaged, unless they are to be skipped."""
    listing = surveyed.listing
    chosen = list(in_threads(lambda case: _tried(surveyed, case, reading), range(len(listing))))
    problems = [each for each in chosen if isinstance(each, Problem)]
    rows = [np.zeros(0, np.int64) if isinstance(each, Problem) else each for each in chosen]
    ends = np.cumsum([len(each) for each in rows])
    if not ends[-1] and not problems:
        raise refuse("dataset.drop_empty", "slices with a class", "none", "Set dataset.drop_empty=false.")
    channels = surveyed.channels * len(listing.files[0]) * (1 + 2 * reading.slicing.neighbours)
    kind = np.uint8 if surveyed.whole else np.float32
    x = store.array("images", (int(ends[-1]), channels, *surveyed.size), kind)
    y = store.array("masks", (int(ends[-1]), *surveyed.size), np.uint8) if listing.masks else None
    problems += _decode(surveyed, rows, ends, reading, (x, y), store)
    good = usable(len(listing), problems, reading.on_error)
    case = np.repeat(np.arange(len(listing)), [len(each) for each in rows])
    kept = [surveyed.kept[each] for each in good]
    store.save(np.zeros(len(listing), np.bool_))  # what follows changes rows in place, and cannot be gone on with
    if len(good) < len(listing):
        x, y, case = _without(x, y, case, good)
        listing = listing[good]
    classes = (
        0 if y is None else _finish(y, [listing.masks[each] is not None for each in case.tolist()], reading, listing)
    )
    return Built(listing, kept, torch.from_numpy(x), None if y is None else torch.from_numpy(y), case, classes)


def _tried(surveyed: Surveyed, case: int, reading: PixelReading) -> NDArray[np.int64] | Problem:
    try:
        return slices_of(surveyed, case, reading)
    except UnreadableError as error:
        return Problem(case, str(surveyed.listing.masks[case]), "a mask that can be used", error.got, error.fix)


def _decode(
    surveyed: Surveyed,
    rows: Sequence[NDArray[np.int64]],
    ends: NDArray[np.int64],
    reading: PixelReading,
    arrays: tuple[NDArray[Any], NDArray[np.uint8] | None],
    store: Store,
) -> list[Problem]:
    """Writes the rows of every case that is not there yet; what is wrong with the others."""
    x, y = arrays
    done = store.array("done", (len(rows),), np.bool_)

    def decode(case: int) -> Problem | None:
        mine = slice(int(ends[case]) - len(rows[case]), int(ends[case]))
        where = surveyed.listing.files[case][0]
        try:
            x[mine] = images_of(surveyed, case, rows[case], reading)
            where = surveyed.listing.masks[case] or where if y is not None else where
            if y is not None and (mask := mask_of(surveyed, case, rows[case], reading)) is not None:
                y[mine] = mask
        except UnreadableError as error:
            return Problem(case, str(where), "a file that can be read", error.got, error.fix)
        return None

    left = [case for case in np.flatnonzero(~done).tolist() if len(rows[case])]
    problems: list[Problem] = []
    clock, finished = _Progress(len(rows)), np.array(done)
    for case, problem in zip(left, in_threads(decode, left), strict=True):
        finished[case] = problem is None
        problems += [problem] if problem else []
        if clock.due(int(finished.sum())) and clock.spoken % SAVED == 0:
            store.save(finished)
    store.save(finished)
    clock.end()
    return problems


class _Progress:
    """Says every second how many of all cases are read, once it has taken longer than that."""

    def __init__(self, cases: int) -> None:
        self._cases, self._said, self.spoken = cases, time.monotonic(), 0

    def due(self, done: int) -> bool:
        """Whether a second has gone by, after saying so."""
        if time.monotonic() - self._said < WAIT:
            return False
        print(f"\rdataset: {done} of {self._cases} images read", end="", file=sys.stderr, flush=True)
        self._said, self.spoken = time.monotonic(), self.spoken + 1
        return True

    def end(self) -> None:
        """Ends the line."""
        if self.spoken:
            print(f"\rdataset: all {self._cases} images read    ", file=sys.stderr)


def _without(
    x: NDArray[Any], y: NDArray[np.uint8] | None, case: NDArray[np.int64], good: Sequence[int]
) -> tuple[NDArray[Any], NDArray[np.uint8] | None, NDArray[np.int64]]:
    """The rows of good cases moved together, in place, and the new number of the case of each."""
    number = {old: new for new, old in enumerate(good)}
    kept = [row for row, old in enumerate(case.tolist()) if old in number]
    for to, row in enumerate(kept):
        x[to] = x[row]
        if y is not None:
            y[to] = y[row]
    numbers = np.array([number[int(case[row])] for row in kept], np.int64)
    return x[: len(kept)], None if y is None else y[: len(kept)], numbers


def _finish(y: NDArray[np.uint8], given: Sequence[bool], reading: PixelReading, listing: Listing) -> int:
    """Turns the stored values of masks into classes, in place; how many classes there are."""
    counts = np.zeros(256, np.int64)
    for mask, there in zip(y, given, strict=True):
        if there:
            counts += np.bincount(mask.reshape(-1), minlength=256)
    classes = classes_of_masks(np.flatnonzero(counts), reading.masks, listing.where)
    say_guess(classes)
    if (classes.table != np.arange(256)).any():
        for row, there in enumerate(given):
            if there:
                y[row] = classes.table[y[row]]
    return classes.classes
