"""Downloading one file: whole and with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from fedmed.errors import UserError, refuse
from fedmed.files import replacing

CHUNK = 1 << 20
"""Bytes read at a time."""

TIMEOUT = 30.0
"""Seconds without an answer after which the network counts as absent."""

Opener = Callable[[str], AbstractContextManager[HTTPResponse]]
"""url -> an open response, closed by its context."""


def open_url(url: str) -> HTTPResponse:
    """The usual opener: urllib with a timeout; raises OSError where there is no answer."""
    response: HTTPResponse = urlopen(url, timeout=TIMEOUT)
    return response


def fetch(url: str, target: Path, *, option: str, md5: str | None, opener: Opener = open_url) -> None:
    """Downloads `url` to `target` by way of a temporary file beside it; an existing target is replaced at the end only.

    option: what the user set to ask for it, for errors.
    md5: expected checksum; None takes the file as it comes.
    Raises UserError, which names file, URL, MD5 and target path, where there is no network or the file is not right.
    """
    try:
        with opener(url) as response, replacing(target) as file:
            got = _copy(response, file, target.name)
            if md5 is not None and got != md5:
                raise missing(url, target, option=option, md5=md5, got=f"a file with MD5 {got}")
    except (OSError, HTTPException, EOFError) as error:
        raise missing(url, target, option=option, md5=md5, got=f"no download ({error})") from error


def missing(url: str, target: Path, *, option: str, md5: str | None, got: str) -> UserError:
    """The UserError of a file that has to be brought by hand."""
    checksum = f" (MD5 {md5})" if md5 else ""
    fix = f"On a machine with a network, download {url}{checksum} and put it at {target}."
    return refuse(option, f"the file {target.name}", got, fix)


def md5_of(path: Path) -> str:
    """MD5 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _copy(response: HTTPResponse, file: IO[bytes], name: str) -> str:
    """Copies the body, tells the progress on stderr, and returns its MD5; raises EOFError where it breaks off."""
    total, done, digest = int(response.headers.get("Content-Length") or 0), 0, _md5()
    while chunk := response.read(CHUNK):
        file.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        size = f" of {total / 1e6:.1f}" if total else ""
        print(f"\rDownloading {name}: {done / 1e6:.1f}{size} MB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if done < total:
        raise EOFError(f"it broke off after {done} of {total} bytes")
    return digest.hexdigest()
