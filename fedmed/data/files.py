"""Reading npz files: never a pickle, and every damage said in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from zipfile import BadZipFile, is_zipfile
from zlib import error as ZlibError

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from fedmed.errors import UserError, refuse

COPY_AGAIN = "Copy or download the file again, or write it anew with numpy.savez_compressed."


@dataclass(frozen=True, slots=True)
class Archive:
    """An open npz file.

    path: where it lies.
    option: the option that named it, for errors.
    keys: its arrays, in the order in which they were written.
    """

    path: Path
    option: str
    npz: NpzFile
    keys: tuple[str, ...]

    def read(self, key: str) -> NDArray[np.generic]:
        """The array of that name; raises UserError where it is damaged or holds Python objects."""
        try:
            return np.asarray(self.npz[key])
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise self._damaged(key, error) from error
            fix = "Objects can run code when read. Store numbers (or fixed-length text) instead."
            raise self.fault(key, "an array of numbers", "Python objects", fix) from error
        except (BadZipFile, ZlibError, EOFError, OSError, RuntimeError) as error:
            raise self._damaged(key, error) from error

    def fault(self, key: str, expected: str, got: object, fix: str = "") -> UserError:
        """The UserError about one array of this file."""
        return refuse(f"{self.option}: {self.path}: {key}", expected, got, fix)

    def _damaged(self, key: str, error: Exception) -> UserError:
        return self.fault(key, "an intact array", f"a damaged one ({error})", COPY_AGAIN)


@contextmanager
def open_npz(path: Path, option: str) -> Iterator[Archive]:
    """Opens an npz file for reading; raises UserError where it is missing, damaged or no npz file.

    option: what the user set to name it, such as `dataset.path`.
    """
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise refuse(option, "an npz file", f"{path}: {got}", _neighbours(path))
    if not is_zipfile(path):
        raise refuse(option, "an npz file", f"{path}: {_kind(path)}", COPY_AGAIN)
    try:
        npz: NpzFile = np.load(path, allow_pickle=False)
    except (BadZipFile, ValueError, OSError) as error:
        raise refuse(option, "an npz file", f"{path}: a damaged one ({error})", COPY_AGAIN) from error
    with npz:
        yield Archive(path, option, npz, tuple(npz.files))


def _kind(path: Path) -> str:
    """What a file is that is not a whole zip archive."""
    with path.open("rb") as file:
        head = file.read(6)
    if not head:
        return "an empty file"
    if head[:2] == b"PK":
        return "a truncated one (its end is missing)"
    return "a single array (npy)" if head == b"\x93NUMPY" else "another kind of file"


def _neighbours(path: Path) -> str:
    """A sentence that names the npz files near a path that does not exist."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist (looked from {Path.cwd()})."
    names = sorted(file.name for file in folder.glob("*.npz"))
    close = get_close_matches(path.name, names, n=3, cutoff=0.6) or names[:5]
    if not close:
        return f"There is no npz file in {folder.resolve()}."
    return f"In {folder.resolve()} there is {', '.join(close)}{' and more' if len(close) < len(names) else ''}."
