"""The manifest of a folder of checkpoints: which files make up the current commit, their sizes, and their digests.

The folder may be a stranger's: a manifest names files of its own folder only, and none of them is a link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.rundir.json_text import dumps, parse

NAME = "checkpoint.json"
FORMAT = 1
RESTORE = "Restore it, or start the run anew."

FILE = re.compile(r"(model|server|client_\d+)_\d+\.(safetensors|pt)")
"""What files of a checkpoint are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One commit.

    round: rounds done; 0 with no files before the first commit.
    model, server: file names. clients: client id (as text) to file name. files: every file name to its bytes.
    digests: the same to the digest of what it holds; empty in runs of earlier versions. progress: what JSON can hold.
    """

    round: int = -1
    model: str = ""
    server: str = ""
    clients: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest | None:
    """The current commit; None before the first; raises UserError where the manifest is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    found = parse(own_file(folder, NAME).read_bytes(), str(path))
    digest = found.pop("digest", None)
    if digest is not None and digest != _digest(found):
        raise refuse(str(path), "the digest that it was written with", "another: bits have changed", RESTORE)
    if found.pop("format", None) != FORMAT:
        raise refuse(str(path), f"a manifest of format {FORMAT}", "another", "Use the version of fedmed that wrote it.")
    try:
        manifest = Manifest(**found)
        if strange := [name for name in _names(manifest) if not FILE.fullmatch(name)]:
            raise refuse(str(path), "names of checkpoints in its own folder", strange[0], "Do not trust this folder.")
    except (TypeError, AttributeError) as error:
        raise refuse(str(path), "a manifest of a checkpoint", f"other keys ({error})", "Start the run anew.") from error
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes the commit valid, in one step; with ten thousand clients it holds as many names, so none is copied."""
    held = {f.name: getattr(manifest, f.name) for f in fields(manifest)}
    progress = json.loads(dumps(manifest.progress))
    content = {"format": FORMAT, **held, "progress": progress}
    write_atomically(folder / NAME, json.dumps(content | {"digest": _digest(content)}) + "\n")


def read_file(folder: Path, manifest: Manifest, name: str) -> bytes:
    """A file of the commit; raises UserError naming it where it is missing or not what was written."""
    path, size = folder / name, manifest.files.get(name)
    content = own_file(folder, name).read_bytes()
    if len(content) != size:
        raise refuse(str(path), f"{size} bytes", f"{len(content)}", RESTORE)
    if manifest.digests.get(name) not in (None, digest_of(content)):
        raise refuse(str(path), "the digest that it was written with", "another: bits have changed", RESTORE)
    return content


def own_file(folder: Path, name: str) -> Path:
    """The path of a file in the folder itself; raises UserError where it is missing, or it or the folder a link."""
    path = folder / name
    if link := next((found for found in (folder, path) if found.is_symlink()), None):
        raise refuse(str(link), "a folder of checkpoints and its files", "a link", "Put what it leads to in its place.")
    if not path.is_file():
        raise refuse(str(path), "a file", "none", RESTORE)
    return path


def digest_of(content: bytes) -> str:
    """blake2b of a file, in hexadecimal."""
    return blake2b(content, digest_size=16).hexdigest()


def _names(manifest: Manifest) -> Iterator[str]:
    if manifest.round >= 0:
        yield from (manifest.model, manifest.server)
    yield from (*manifest.clients.values(), *manifest.files, *manifest.digests)


def _digest(content: Mapping[str, Any]) -> str:
    return digest_of(json.dumps(content, sort_keys=True).encode())
