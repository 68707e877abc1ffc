"""Partitions as files: one list of pool rows per client, in an npz archive or a JSON file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fedmed.data.examples import Indices
from fedmed.errors import Fault, UserError, refuse
from fedmed.files import replacing


def save(path: Path, parts: Sequence[Indices]) -> None:
    """Writes the rows of every client, so that `partition=file partition.path=...` divides the same pool the same way.

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
    """The lists of a file, one per client, sorted but not yet checked against a pool; UserError where it is none."""
    _check_suffix(path)
    try:
        lists = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else _arrays(path)
    except FileNotFoundError:
        raise _unusable(path, "no such file") from None
    except (ValueError, BadZipFile, OSError) as error:
        raise _unusable(path, error) from error
    if not isinstance(lists, list) or not lists:
        raise _unusable(path, f"{type(lists).__name__} without lists")
    return [_rows(path, k, values) for k, values in enumerate(lists)]


def check(path: Path, parts: Sequence[Indices], rows: int) -> None:
    """Refuses lists that name a row outside 0..rows-1 or the same row twice."""
    faults = [
        Fault(
            str(path),
            f"rows from 0 to {rows - 1}",
            f"{part[0]} to {part[-1]} at client {k}",
            "Was it made for another dataset?",
        )
        for k, part in enumerate(parts)
        if len(part) and (part[0] < 0 or part[-1] >= rows)
    ]
    if faults:
        raise UserError(*faults)
    times = np.bincount(np.concatenate(parts), minlength=rows)
    if times.max(initial=0) > 1:
        row = int(times.argmax())
        holders = ", ".join(str(k) for k, part in enumerate(parts) if row in part)
        raise refuse(str(path), "every row at most once", f"row {row} {times[row]} times (clients {holders})")


def _arrays(path: Path) -> list[Indices]:
    with np.load(path, allow_pickle=False) as archive:
        names = sorted(archive.files, key=lambda name: (len(name), name))
        return [archive[name] for name in names]


def _rows(path: Path, client: int, values: Any) -> Indices:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty((0, 0))
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise refuse(str(path), "one list of row numbers per client", f"something else for client {client}")
    return np.sort(array.astype(np.int64))


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".npz", ".json"):
        raise refuse("partition.path", "a file that ends in .npz or .json", repr(str(path)))


def _unusable(path: Path, found: object) -> UserError:
    fix = "Write one with fedmed.data.partition.save."
    return refuse("partition.path", f"a file of row numbers at {path}", found, fix)
