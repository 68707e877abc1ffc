"""Which reader a file has, by its ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fedmed.data.reading.formats import arrays, dicom, nifti, pictures
from fedmed.data.reading.formats.contract import Axis, Header, Pixels, UnreadableError
from fedmed.data.reading.paths import ARRAYS, NIFTI, PICTURES


class Reader(NamedTuple):
    """Reads the header, and the pixels, of one kind of file; either raises what its library does."""

    header: Callable[[Path, Axis], Header]
    pixels: Callable[[Path, Axis, int | None], Pixels]


def read_header(path: Path, axis: Axis = "axial") -> Header:
    """What a file says of itself; raises UnreadableError where it cannot be read."""
    with _Translated(path):
        return _reader(path).header(path, axis)


def read_pixels(path: Path, axis: Axis = "axial", frame: int | None = None) -> Pixels:
    """The pixels of a file, slices along that axis; raises UnreadableError where it cannot be read.

    frame: which of several volumes in one file (4-D).
    """
    with _Translated(path):
        return _reader(path).pixels(path, axis, frame)


AGAIN = "Copy it again, or leave such files out: dataset.on_error=skip."


class _Translated:
    """Turns what libraries raise on a damaged file, which is anything, into UnreadableError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, UnreadableError):
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            got = "an empty file" if _is_empty(self._path) else reason.splitlines()[0].replace(f" '{self._path}'", "")
            raise UnreadableError(got, AGAIN) from error


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _reader(path: Path) -> Reader:
    name = path.name.lower()
    if name.endswith(PICTURES):
        return Reader(pictures.header, pictures.pixels)
    if name.endswith(ARRAYS):
        return Reader(arrays.header, arrays.pixels)
    if name.endswith(NIFTI):
        return Reader(nifti.header, nifti.pixels)
    return Reader(dicom.header, dicom.pixels)
