"""The manifest of a folder of checkpoints: which files make up the current commit, and how large they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.results.json_text import dumps, parse

NAME = "checkpoint.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One commit.

    round: rounds done; 0 with no files before the first commit.
    model, server: file names. clients: client id (as text) to file name. files: every file name to its bytes.
    progress: what JSON can hold.
    """

    round: int = -1
    model: str = ""
    server: str = ""
    clients: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest | None:
    """The current commit; None before the first; raises UserError where the manifest is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    found = parse(path.read_bytes(), str(path))
    if found.pop("format", None) != FORMAT:
        raise refuse(str(path), f"a manifest of format {FORMAT}", "another", "Use the version of fedmed that wrote it.")
    try:
        return Manifest(**found)
    except TypeError as error:
        raise refuse(str(path), "a manifest of a checkpoint", f"other keys ({error})", "Start the run anew.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes the commit valid, in one step; with ten thousand clients it holds as many names, so none is copied."""
    held = {f.name: getattr(manifest, f.name) for f in fields(manifest)}
    progress = json.loads(dumps(manifest.progress))
    write_atomically(folder / NAME, json.dumps({"format": FORMAT, **held, "progress": progress}) + "\n")


def read_file(folder: Path, manifest: Manifest, name: str) -> bytes:
    """A file of the commit; raises UserError naming it where it is missing or has not the size it was written with."""
    path, size = folder / name, manifest.files.get(name)
    if not path.exists():
        raise refuse(str(path), f"a file of {size} bytes", "no file", "Restore it, or start the run anew.")
    content = path.read_bytes()
    if len(content) != size:
        raise refuse(str(path), f"{size} bytes", f"{len(content)}", "Restore the file, or start the run anew.")
    return content
