"""What is known about every row: numbers of its site, its patient and its split, from texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import TEST, TRAIN, VAL, Indices
from fedmed.data.npz.provenance import RESERVED
from fedmed.data.reading.levels import SPLIT_WORDS
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.problems import MOST
from fedmed.errors import Fault, UserError, near

SPLIT_NAMES = {TRAIN: "train", VAL: "val", TEST: "test"}


class KnownRows(NamedTuple):
    """Of `Table`: split, site and patient per case (N,), None where unknown, and the names of the sites."""

    split: NDArray[np.int8] | None
    site: Indices | None
    patient: Indices | None
    site_names: tuple[str, ...]


def known_rows(listing: Listing) -> KnownRows:
    """The numbers; raises UserError with all that is wrong with them."""
    if faults := [*_blanks(listing), *_site_faults(listing), *_split_faults(listing)]:
        raise UserError(*faults)
    split = None
    if listing.split:
        split = np.array([SPLIT_WORDS[text.lower()] for text in listing.split], np.int8)
    site, names = _numbers(listing.site)
    patient, _ = _numbers([f"{text}\n{site}" for text, site in _patients(listing)])
    if split is not None and (faults := list(_in_two_splits(listing, split, patient))):
        raise UserError(*faults)
    return KnownRows(split, site, patient, names)


def _patients(listing: Listing) -> Iterator[tuple[str, str]]:
    """Patient and site of each case: the same text at two sites is two patients."""
    yield from zip(listing.patient, listing.site or [""] * len(listing.patient), strict=False)


def _numbers(texts: Sequence[str]) -> tuple[Indices | None, tuple[str, ...]]:
    """Texts as numbers from 0 in sorted order, numbers by their size, and the texts of these."""
    if not texts:
        return None, ()
    names = sorted(set(texts), key=lambda text: (0, int(text), text) if text.isdecimal() else (1, 0, text))
    number = {name: n for n, name in enumerate(names)}
    return np.array([number[text] for text in texts], np.int64), tuple(names)


def _blanks(listing: Listing) -> Iterator[Fault]:
    columns = {"site": listing.site, "patient": listing.patient, "split": listing.split}
    for name, texts in columns.items():
        if blank := [row for row, text in enumerate(texts) if not text]:
            got = f"none for {len(blank)}, first {listing.files[blank[0]][0]}"
            yield Fault(f"{listing.where}", f"the {name} of every image", got, f"Name it, or set dataset.{name}=none.")


def _site_faults(listing: Listing) -> Iterator[Fault]:
    for name in sorted({text for text in listing.site if text in RESERVED}):
        fix = "That name is kept for metrics over all sites; rename the site."
        yield Fault(f"{listing.where}", "names of sites", name, fix)


def _split_faults(listing: Listing) -> Iterator[Fault]:
    odd = sorted({text for text in listing.split if text and text.lower() not in SPLIT_WORDS})
    for text in odd[:MOST]:
        yield Fault(f"{listing.where}: dataset.split", "train, val or test", text, near(text, SPLIT_WORDS))
    if listing.split and not odd and not any(SPLIT_WORDS.get(text.lower()) == TRAIN for text in listing.split):
        yield Fault(f"{listing.where}", "images to train on", f"only {listing.split[0]}", "Set dataset.split=none.")


def _in_two_splits(listing: Listing, split: NDArray[np.int8], patient: Indices | None) -> Iterator[Fault]:
    """A fault for each of the first patients with images in two splits, and one that counts the others."""
    if patient is None:
        return
    pairs = np.unique(np.stack([patient, split.astype(np.int64)], 1), axis=0)
    numbers, times = np.unique(pairs[:, 0], return_counts=True)
    expected, fix = "each patient in one split", "Correct the splits, or set dataset.split=none to have them drawn."
    for number in numbers[times > 1][:MOST]:
        rows = np.flatnonzero(patient == number)
        found = sorted({int(part) for part in split[rows]})
        got = f"{listing.patient[rows[0]]} in {' and '.join(SPLIT_NAMES[part] for part in found)}"
        yield Fault(f"{listing.where}", expected, got, fix)
    if (more := int((times > 1).sum()) - MOST) > 0:
        yield Fault(f"{listing.where}", expected, f"{more} more such patients ({more + MOST} in all)", fix)
