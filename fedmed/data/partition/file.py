"""Partitions as files: one list of the dataset's rows per client, in an npz archive or a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedmed.data.examples import TEST, TRAIN, UNUSED, VAL, Indices
from fedmed.data.npz.opening import check_regular, open_npz
from fedmed.data.partition.contract import ImageMetadata, Partition
from fedmed.errors import Fault, UserError, refuse
from fedmed.files import replacing

SHOWN = 5
"""Arrays that an error names."""

KEPT_BACK = (
    (TEST, "a test row", "Leave test rows out, or set dataset.test and dataset.held_out_site as when it was made."),
    (UNUSED, "a row that dataset.held_out_site or dataset.imbalance_factor leaves out", "Leave it out, or unset them."),
)
"""Rows that no client may hold: their split, what they are, and what to do."""


@dataclass(frozen=True, kw_only=True)
class FilePartition(Partition):
    """A division read from a file, as `fedmed.data.partition.save` writes it; rows that it leaves out are not used.

    path: npz or JSON file with one list of row numbers per client: rows of the dataset, counted from 0 over all of its
       images in the order of the file, of which test rows may not be named.
    """

    remedies: ClassVar[tuple[str, ...]] = ("correct the file",)

    path: str = ""

    def number(self, images: ImageMetadata, clients: int | None) -> int:
        count = len(read(Path(self.path)))
        if clients not in (None, count):
            raise refuse("clients", f"{count}, as {self.path} has", clients, "Leave clients out.")
        return count

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        parts = read(Path(self.path))
        split = np.where(images.train, TRAIN, VAL).astype(np.int8) if images.split is None else images.split
        check(Path(self.path), parts, split)
        place = np.cumsum((split == TRAIN) | (split == VAL)) - 1
        return [place[part] for part in parts]


def save(path: Path, parts: Sequence[Indices]) -> None:
    """Writes the rows of every client, so that `partition=file partition.path=...` divides the same data the same way.

    path: its suffix chooses the format: .npz (arrays client_0, client_1, ...) or .json (a list of lists).
    The file appears whole or not at all.
    """
    _check_suffix(path)
    with replacing(path) as file:
        if path.suffix == ".json":
            file.write(json.dumps([part.tolist() for part in parts]).encode())
        else:
            np.savez_compressed(file, **{f"client_{k}": part for k, part in enumerate(parts)})  # type: ignore[arg-type]


def read(path: Path) -> list[Indices]:
    """The lists of a file, one per client, sorted but not yet checked against a dataset; UserError where it is none."""
    _check_suffix(path)
    path = path.expanduser()
    if path.suffix == ".npz":
        return [_rows(path, k, values) for k, values in enumerate(_arrays(path))]
    try:
        check_regular(path, "partition.path", "a file of row numbers", path.suffix)
        lists = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError, MemoryError) as error:
        raise _unusable(path, error) from error
    if not isinstance(lists, list) or not lists:
        raise _unusable(path, f"{type(lists).__name__} without lists")
    return [_rows(path, k, values) for k, values in enumerate(lists)]


def check(path: Path, parts: Sequence[Indices], split: NDArray[np.int8]) -> None:
    """Refuses lists that name a row twice, or one that no client may hold; split: of every row of the dataset (N,)."""
    faults = [fault for k, part in enumerate(parts) for fault in _foreign(path, k, part, split)]
    if faults:
        raise UserError(*faults)
    times = np.bincount(np.concatenate(parts), minlength=len(split))
    if times.max(initial=0) > 1:
        row = int(times.argmax())
        holders = ", ".join(str(k) for k, part in enumerate(parts) if row in part)
        raise refuse(str(path), "every row at most once", f"row {row} {times[row]} times (clients {holders})")


def _foreign(path: Path, client: int, part: Indices, split: NDArray[np.int8]) -> Iterator[Fault]:
    """What is wrong with one client's rows (ascending)."""
    rows = len(split)
    if len(part) and (part[0] < 0 or part[-1] >= rows):
        got = f"{part[0]} to {part[-1]} at client {client}"
        yield Fault(str(path), f"rows from 0 to {rows - 1}", got, "Was it made for another dataset?")
        return
    for kind, name, fix in KEPT_BACK:
        found = part[split[part] == kind]
        if len(found):
            got = f"row {found[0]} at client {client}, {name} ({len(found)} of these)"
            yield Fault(str(path), "rows to train or validate on", got, fix)


def _arrays(path: Path) -> list[NDArray[np.generic]]:
    """The arrays client_0, client_1, ... of an archive, in the order of the clients."""
    with open_npz(path, "partition.path", "a file of row numbers") as archive:
        names = [f"client_{k}" for k in range(len(archive.keys))]
        if not names or set(names) != set(archive.keys):
            got = ", ".join(archive.keys[:SHOWN]) or "no array at all"
            raise _unusable(path, got, expected="arrays client_0, client_1, ...")
        return [archive.read(name) for name in names]


def _rows(path: Path, client: int, values: Any) -> Indices:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        array = np.empty((0, 0))
    whole = array.size == 0 or (array.dtype.kind in "iu" and array.max() <= np.iinfo(np.int64).max)
    if array.ndim != 1 or not whole:
        raise refuse(str(path), "one list of row numbers per client", f"something else for client {client}")
    return np.sort(array.astype(np.int64))


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".npz", ".json"):
        got = "nothing" if path == Path() else repr(str(path))
        fix = "Write partition.path=<file>, with the rows of each client: [[0, 4, 7], [1, 2], ...] in a JSON file."
        raise refuse("partition.path", "a file that ends in .npz or .json", got, fix)


def _unusable(path: Path, found: object, expected: str = "one list of row numbers per client") -> UserError:
    fix = "fedmed describe --save FILE writes one."
    return refuse(f"partition.path: {path}", expected, found, fix)
