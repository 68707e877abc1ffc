"""Opens files of users for reading, with errors that help where they cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from zipfile import is_zipfile

from fedmed.data.npz.archive import AGAIN, CONVERT, NpzArchive, open_archive
from fedmed.errors import refuse

KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (0, b"BM", "a BMP image"),
    (128, b"DICM", "a DICOM file"),
    (344, b"n+1\x00", "a NIfTI volume"),
    (344, b"ni1\x00", "a NIfTI volume"),
    (0, b"NRRD", "an NRRD volume"),
    (0, b"ObjectType", "a MetaImage header"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"MATLAB", "a MATLAB file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x80\x02", "a pickle"),
    (0, b"\x80\x04", "a pickle"),
    (0, b"\x80\x05", "a pickle"),
    (0, b"%PDF", "a PDF file"),
    (0, b"\x93NUMPY", "a single array (npy)"),
)
"""Where known kinds of files have which bytes, and what they are."""


def check_regular(path: Path, option: str, expected: str, suffix: str) -> None:
    """Refuses what is not a file that can be read: nothing there, a folder, a pipe, a device, or no permission.

    option: what the user set to name it, such as `dataset.path`. expected: what should lie there. suffix: of files
    nearby that may have been meant.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise refuse(option, expected, f"{path}: no such file", _neighbours(path, suffix)) from None
        raise refuse(option, expected, f"{path}: {_reason(error)}", "Check the path.") from error
    if S_ISDIR(mode):
        raise refuse(option, expected, f"{path}: a folder", _neighbours(path / suffix, suffix))
    if not S_ISREG(mode):
        raise refuse(option, expected, f"{path}: no file but a device, pipe or socket", "Copy it into a file first.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise refuse(option, expected, f"{path}: {_reason(error)}", f"May you read it? See ls -l {path}.") from error


@contextmanager
def open_npz(path: Path, option: str, expected: str = "an npz file") -> Iterator[NpzArchive]:
    """Opens an npz file for reading; raises UserError where it is missing, not readable, damaged or no npz file.

    option: what the user set to name it, such as `dataset.path`. expected: what should lie there.
    """
    check_regular(path, option, expected, ".npz")
    if (found := _kind(path)) is not None:
        raise refuse(option, expected, f"{path}: {found[0]}", found[1])
    try:
        archive = open_archive(path, option)
    except Exception as error:  # zipfile raises what it likes on a directory that makes no sense
        raise refuse(option, expected, f"{path}: a damaged one ({_reason(error)})", AGAIN) from error
    with archive.file:
        archive.check()
        yield archive


def _kind(path: Path) -> tuple[str, str] | None:
    """What a file is that is no zip archive, and what to do about it; None for an archive, which begins with PK."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "an empty file", AGAIN
    if head[:2] == b"PK":
        return None if is_zipfile(path) else ("a truncated one (its end is missing)", AGAIN)
    for at, mark, kind in KINDS:
        if head[at:].startswith(mark):
            return kind, CONVERT
    text = head.isascii() and b"\x00" not in head
    return ("text" if text else "another kind of file"), (CONVERT if text else AGAIN)


def _reason(error: Exception) -> str:
    """What went wrong, without the name of the file, which the error names already."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _neighbours(path: Path, suffix: str) -> str:
    """A sentence that names the files of that kind near a path that does not exist."""
    folder = path.parent
    try:
        names = sorted(file.name for file in folder.glob(f"*{suffix}"))
    except (OSError, ValueError):
        names = []
    if not folder.is_dir():
        return f"The folder {folder} does not exist (looked from {Path.cwd()})."
    close = get_close_matches(path.name, names, n=3, cutoff=0.6) or names[:5]
    if not close:
        none = f"There is no {suffix.removeprefix('.')} file in {folder.resolve()}."
        return f"{none} {CONVERT}" if suffix == ".npz" else none
    return f"In {folder.resolve()} there is {', '.join(close)}{' and more' if len(close) < len(names) else ''}."
