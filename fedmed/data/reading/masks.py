"""From the values of mask files to classes: a map of values, a threshold, or what the values themselves say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.data.npz.values import in_words
from fedmed.data.reading.formats import UnreadableError, arrays, nifti, pictures, read_pixels
from fedmed.data.reading.formats.contract import Axis
from fedmed.data.reading.notices import say
from fedmed.data.reading.paths import ARRAYS, NIFTI, PICTURES
from fedmed.errors import Fault, refuse

FEW = 8
"""Values of masks up to which greys are taken for classes rather than for soft edges."""


@dataclass(frozen=True, kw_only=True)
class MaskReading:
    """How values become classes.

    values: (from, to) pairs; empty: none. threshold: values above it become 1, others 0; None: none.
    names: of the classes, in order, background first; empty: none.
    """

    values: tuple[tuple[int, int], ...] = ()
    threshold: float | None = None
    names: tuple[str, ...] = ()


class MaskClasses(NamedTuple):
    """The class of each stored value (256,) uint8, how many classes there are, and what was guessed (may be empty)."""

    table: NDArray[np.uint8]
    classes: int
    guess: str = ""


def pair_faults(texts: Iterable[str]) -> Iterator[Fault]:
    """A fault for every text that is no pair of a value and its class."""
    for text in texts:
        first, colon, second = text.partition(":")
        if not (colon and first.lstrip("-").isdecimal() and second.isdecimal() and int(second) < 255):
            yield Fault("dataset.mask_values", "pairs value:class, such as [0:0,128:1,255:2]", text)


def pairs_of(texts: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """`128:1` as (128, 1), for texts without faults."""
    pairs = (text.split(":") for text in texts)
    return tuple((int(value), int(to)) for value, to in pairs)


def read_mask(path: Path, axis: Axis, frame: int | None, reading: MaskReading) -> NDArray[np.uint8]:
    """A mask (S, H, W) as stored values, or as classes where a map or a threshold says these."""
    values = _raw(path, axis, frame)
    if reading.threshold is not None:
        return (values > reading.threshold).astype(np.uint8)
    if reading.values:
        return _mapped(values, reading.values, lossy=path.suffix.lower() in (".jpg", ".jpeg"))
    found = np.unique(values)
    if found.size and (
        not np.isfinite(found).all() or (found != np.floor(found)).any() or not 0 <= found[0] <= found[-1] <= 255
    ):
        fix = "Say what each value is, dataset.mask_values=[0:0,600:1], or set dataset.mask_threshold."
        raise UnreadableError(f"a mask with values from {found[0]} to {found[-1]}", fix)
    return values.astype(np.uint8)


def _raw(path: Path, axis: Axis, frame: int | None) -> NDArray[Any]:
    """The values of a mask (S, H, W); raises UnreadableError where there are several per pixel."""
    name = path.name.lower()
    if name.endswith(NIFTI):
        return nifti.raw(path, axis, frame)
    values = pictures.raw(path) if name.endswith(PICTURES) else arrays.raw(path) if name.endswith(ARRAYS) else None
    if values is None:
        return read_pixels(path, axis, frame).values[:, 0]
    if values.ndim == 4:
        if (values[..., :3] != values[..., :1]).any():
            raise UnreadableError("a coloured mask", "Store one value per pixel, or the same in all channels.")
        return values[..., 0]
    return values


def _mapped(values: NDArray[Any], pairs: tuple[tuple[int, int], ...], *, lossy: bool) -> NDArray[np.uint8]:
    """The class of each value; lossy: of the nearest value that has one, as JPEG changes them a little."""
    known, classes = (np.array(each) for each in zip(*sorted(pairs), strict=True))
    if lossy:
        middles = (known[1:] + known[:-1]) / 2
        return classes[np.searchsorted(middles, values)].astype(np.uint8)
    if len(odd := np.setdiff1d(values, known)):
        got = f"a mask with {in_words(odd)} too"
        raise UnreadableError(got, f"Add {odd[0]:g}:<class> to dataset.mask_values.")
    return classes[np.searchsorted(known, values)].astype(np.uint8)


def classes_of_masks(found: NDArray[np.int64], reading: MaskReading, where: Path) -> MaskClasses:
    """What the values that occur in all masks (ascending) stand for; raises UserError where it is not clear.

    0, 1, ... are classes; of two values the lower is background; 0 and 255 with many greys between are soft edges.
    """
    same = np.arange(256, dtype=np.uint8)
    if reading.values or reading.threshold is not None:
        most = max([to for _, to in reading.values], default=1)
        return MaskClasses(same, _number(most + 1, reading, where))
    if len(found) < 2 and not (len(found) and found[0] == 1):
        raise refuse(f"{where}: masks", "a background and a class", f"only {in_words(found) or 'nothing'}")
    if found[-1] < len(found):
        return MaskClasses(same, _number(int(found[-1]) + 1, reading, where))
    if len(found) == 2:
        guess = f"in masks {found[0]} is background and {found[1]} is class 1"
        return MaskClasses((same == found[1]).astype(np.uint8), _number(2, reading, where), guess)
    if found[0] == 0 and found[-1] == 255 and len(found) > FEW:
        guess = "masks have greys between 0 and 255: above 127 is class 1 (dataset.mask_threshold=127)"
        return MaskClasses((same > 127).astype(np.uint8), _number(2, reading, where), guess)
    example = ",".join(f"{value}:{n}" for n, value in enumerate(found[:FEW].tolist()))
    fix = f"Say which class each value is, for instance dataset.mask_values=[{example}], or set dataset.mask_threshold."
    raise refuse(f"{where}: masks", "values that number the classes from 0", in_words(found), fix)


def _number(classes: int, reading: MaskReading, where: Path) -> int:
    if reading.names and len(reading.names) < classes:
        expected = f"{classes} names, background first"
        raise refuse("dataset.names", expected, f"{len(reading.names)} for the masks of {where}")
    return len(reading.names) or max(2, classes)


def say_guess(classes: MaskClasses) -> None:
    """Says what was guessed of masks."""
    if classes.guess:
        say(classes.guess)
