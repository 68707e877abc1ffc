"""Images that were decoded once: one memory-mapped array per set, under a folder of the user's."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fedmed.data.mapped_images import MappedImages
from fedmed.data.reading.building import Built, MemoryStore, build
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.notices import say
from fedmed.data.reading.pixel_options import PixelReading
from fedmed.data.reading.survey import survey
from fedmed.errors import refuse
from fedmed.files import make_folder, write_atomically

CacheUse = Literal["auto", "on", "off"]

VERSION = 1
"""Of what is kept, and of how pixels are made: a cache of another one is not read."""

LARGE = 64 << 20
"""Bytes of files from which on a set is worth a cache."""

FACTS = "facts.json"
"""The file that is written last: where it is, the arrays are whole."""


def images_of(listing: Listing, reading: PixelReading, cache: CacheUse) -> Built:
    """The images of a listing, decoded or from the cache. cache: on, off, or auto (where files are large)."""
    stats = [_stat(path) for paths in (*listing.files, listing.masks) for path in paths if path]
    if cache == "off" or (cache == "auto" and sum(size for _, size, _ in stats) < LARGE):
        return build(survey(listing, reading), reading, MemoryStore())
    key = blake2b(repr((VERSION, reading, stats, listing.frames)).encode(), digest_size=16).hexdigest()
    folder = cache_folder() / key
    make_folder(folder)
    with _locked(folder / "lock"):
        if not (folder / FACTS).is_file():
            surveyed = survey(listing, reading)
            say(f"images are decoded once, into {folder}")
            _keep(build(surveyed, reading, MappedStore(folder)), folder)
    return _kept(listing, folder)


def cache_folder() -> Path:
    """Where decoded images are kept: $FEDMED_CACHE, or ~/.cache/fedmed."""
    given = os.environ.get("FEDMED_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "fedmed"
    return Path(given).expanduser() / "images"


class MappedStore:
    """Arrays in files of one folder; those of an interrupted build of the same set are gone on with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, np.memmap[Any, Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        path = self._folder / f"{name}.npy"
        if path.is_file():
            found = open_memmap(path, "r+")
            if (found.shape, found.dtype) == (shape, np.dtype(dtype)):
                self._arrays[name] = found
                return found
        _refuse_without_room(self._folder, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        self._arrays[name] = open_memmap(path, "w+", dtype, shape)
        return self._arrays[name]

    def save(self, done: NDArray[np.bool_]) -> None:
        for name, array in self._arrays.items():
            if name != "done":
                array.flush()  # before what says that it is there
        self._arrays["done"][:] = done
        self._arrays["done"].flush()


def _keep(built: Built, folder: Path) -> None:
    facts = {
        "rows": len(built.x),
        "cases": list(built.kept),
        "case": built.case.tolist(),
        "classes": built.classes,
    }
    write_atomically(folder / FACTS, json.dumps(facts))
    (folder / "done.npy").unlink()


def _kept(listing: Listing, folder: Path) -> Built:
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    masks = folder / "masks.npy"
    return Built(
        listing=listing[facts["cases"]],
        kept=facts["cases"],
        x=MappedImages.open(folder / "images.npy", facts["rows"]),
        y=torch.from_numpy(np.load(masks)[: facts["rows"]]) if masks.is_file() else None,
        case=np.array(facts["case"], np.int64),
        classes=facts["classes"],
    )


def _stat(path: Path) -> tuple[str, int, int]:
    """By what a file is known: its path, its size in bytes, and when it was changed."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_size, found.st_mtime_ns


def _refuse_without_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        fix = "Make space, set FEDMED_CACHE to a folder on a larger disk, or make images smaller by dataset.resize."
        raise refuse(str(folder), f"room for {size / 1e9:.1f} GB of decoded images", f"{free / 1e9:.1f} GB", fix)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lets one process at a time build a set; others wait for it."""
    with path.open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
