"""Whole-file writes that leave the old content or the new, never a part: write, fsync, rename, fsync the folder.

Folders may hold what strangers put there. So nothing is written through a link: a temporary file has a name that nobody
can foresee and is made anew, and rows are added to files only, not to what a link leads to.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file beside `path` that takes its place when the block ends, and vanishes when the block raises.

    A folder that is not there is made. What a killed writer of the same file left is removed.
    """
    with about(path):
        make_folder(path.parent)
        _remove_abandoned(path)
        file = _temporary(path)
        try:
            with file:
                yield file
                sync(file)
                if os.name != "posix":
                    file.close()  # Windows renames no open file; elsewhere the lock is kept until the name is right
                os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def runs_folder() -> Path:
    """Where runs are kept that are given no folder of their own: $FEDMED_RUNS, or ./runs."""
    return Path(os.environ.get("FEDMED_RUNS", "runs"))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replaces the file by `content` (text as UTF-8)."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_synced(path: Path, content: bytes) -> int:
    """Writes a file that nothing names yet, and waits until it is on the disk; its size in bytes."""
    path.unlink(missing_ok=True)
    with about(path), path.open("xb") as file:
        file.write(content)
        sync(file)
    return len(content)


def without_links(path: str, flags: int) -> int:
    """The `opener` of a file that is to be changed in place; raises OSError where the path is a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def sync(file: IO[bytes]) -> None:
    """Waits until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, where they are not there, and waits until their names are on the disk."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Waits until the names in the folder are on the disk; nothing where it cannot be known."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to and not be listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Has errors of the system name the file that was to be written, where they name none or a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not (error.filename is None or str(error.filename).endswith(".tmp")):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _temporary(path: Path) -> IO[bytes]:
    """A new file beside `path`, locked for as long as it is open: so others see that its writer lives."""
    while True:
        file = path.with_name(f"{_prefix(path)}{token_hex(8)}.tmp").open("xb")
        if _lock(file, wait=True) and os.fstat(file.fileno()).st_nlink == 0:  # removed before it was locked
            file.close()
            continue
        return file


def _remove_abandoned(path: Path) -> None:
    """Removes temporary files of `path` whose writer is dead: those that nobody has locked."""
    prefix = _prefix(path)
    for entry in os.scandir(path.parent):
        if entry.name.startswith(prefix) and entry.name.endswith(".tmp") and entry.is_file(follow_symlinks=False):
            with suppress(OSError), open(entry.path, "rb", opener=without_links) as file:
                if _lock(file, wait=False):
                    os.unlink(entry.path)


def _prefix(path: Path) -> str:
    return f".{path.name[:40]}."  # a long name with a suffix would be too long for the file system


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Whether the file is locked by us now; False too where the system has no such locks."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
