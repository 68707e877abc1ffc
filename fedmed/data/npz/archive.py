"""The arrays of an npz file: never a pickle, and nothing that is larger than it says or than memory."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fedmed.errors import UserError, refuse

AGAIN = "Copy or download the file again, or write it anew with numpy.savez_compressed."
CONVERT = "Store images and labels as arrays: numpy.savez_compressed('images.npz', images=..., labels=...)."
LARGER = "Store fewer or smaller images (uint8 takes a quarter of float32), or use a machine with more memory."

LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""A container's limit and use in bytes, where there is one (cgroup v2, v1)."""


class ArrayHeader(NamedTuple):
    """The header of an array in an npz file: its shape, order and type."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class NpzArchive:
    """An open npz file.

    path: where it lies.
    option: the option that named it, for errors.
    keys: its arrays, in the order in which they were written.
    """

    path: Path
    option: str
    file: ZipFile
    keys: tuple[str, ...]

    def read(self, key: str) -> NDArray[np.generic]:
        """The array of that name; raises UserError where it is damaged, too large, or holds Python objects."""
        try:
            with self.file.open(self._member(key)) as stream:
                return self._array(key, stream)
        except UserError:
            raise
        except MemoryError as error:
            raise self.fault(key, "an array that fits into memory", "a larger one", LARGER) from error
        except Exception as error:  # zip, zlib, lzma, bz2 and numpy each raise what they like on damaged bytes
            raise self._damaged(key, str(error) or type(error).__name__) from error

    def shape(self, key: str) -> tuple[int, ...]:
        """Of the array of that name, of which only the head is read; raises UserError where that is damaged."""
        try:
            with self.file.open(self._member(key)) as stream:
                return tuple(_header(stream).shape)
        except Exception as error:
            raise self._damaged(key, str(error) or type(error).__name__) from error

    def fault(self, key: str, expected: str, got: object, fix: str = "") -> UserError:
        """The UserError about one array of this file."""
        return refuse(f"{self.option}: {self.path}: {key}", expected, got, fix)

    def check(self) -> None:
        """Refuses archives that hold no arrays at all, or two of one name."""
        names = self.file.namelist()
        if names and not any(name.endswith(".npy") for name in names):
            got = f"a zip archive of other files ({', '.join(map(repr, names[:3]))})"
            raise refuse(self.option, "an npz file", f"{self.path}: {got}", CONVERT)
        if twice := [name for name, times in Counter(self.keys).items() if times > 1]:
            raise self.fault(twice[0], "one array of that name", "several", "Write the file anew.")

    def _member(self, key: str) -> ZipInfo:
        names = set(self.file.namelist())
        return self.file.getinfo(f"{key}.npy" if f"{key}.npy" in names else key)

    def _array(self, key: str, stream: IO[bytes]) -> NDArray[np.generic]:
        """The array in a stream, whose size is checked before any memory is taken for it."""
        header = _header(stream)
        if header.dtype.hasobject:
            fix = "Objects can run code when read. Store numbers (or fixed-length text) instead."
            raise self.fault(key, "an array of numbers", "Python objects", fix)
        size = prod(header.shape) * header.dtype.itemsize
        held = self._member(key).file_size - stream.tell()
        if any(length < 0 for length in header.shape) or size != held:
            raise self._damaged(key, f"shape {header.shape} of {header.dtype} needs {size} bytes, {held} are there")
        if size > (room := free_memory()):
            got = f"one of {size / 1e9:.1f} GB, where {room / 1e9:.1f} GB are free"
            raise self.fault(key, "an array that fits into memory", got, LARGER)
        array = np.empty(header.shape, header.dtype, order="F" if header.fortran else "C")
        flat = array.reshape(-1, order="A").view(np.uint8).data if size else memoryview(b"")
        if _fill(stream, flat) < size:
            raise self._damaged(key, "its end is missing")
        stream.read(1)  # the checksum is compared where the member ends
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _damaged(self, key: str, why: str) -> UserError:
        return self.fault(key, "an intact array", f"a damaged one ({why})", AGAIN)


def open_archive(path: Path, option: str) -> NpzArchive:
    """The archive at a path; raises whatever zipfile does."""
    file = ZipFile(path)
    return NpzArchive(path, option, file, tuple(name.removesuffix(".npy") for name in file.namelist()))


def _header(stream: IO[bytes]) -> ArrayHeader:
    """Shape, order and type of the array that follows; raises whatever a damaged header makes numpy raise."""
    version = npy.read_magic(stream)
    if version == (1, 0):
        return ArrayHeader(*npy.read_array_header_1_0(stream))
    if version == (2, 0):
        return ArrayHeader(*npy.read_array_header_2_0(stream))
    raise ValueError(f"version {version} of the npy format")


def _fill(stream: IO[bytes], buffer: memoryview) -> int:
    """Reads until the buffer is full or the stream ends; the bytes read."""
    done = 0
    while done < len(buffer):
        chunk = stream.read(min(1 << 20, len(buffer) - done))
        if not chunk:
            break
        buffer[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done


def free_memory() -> int:
    """Bytes that can be taken now: what the machine has left, or the container that this runs in."""
    rooms = [_machine()]
    for limit, used in LIMITS:
        with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
            rooms.append(int(Path(limit).read_text(encoding="utf-8")) - int(Path(used).read_text(encoding="utf-8")))
    return max(0, min(rooms))


def _machine() -> int:
    """MemAvailable of Linux; elsewhere all of the machine's memory."""
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
