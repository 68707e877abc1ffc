"""A comparison's record: which runs belong to it, though they are kept elsewhere, for other comparisons too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from fedmed.errors import refuse
from fedmed.files import runs_folder, write_atomically
from fedmed.rundir.json_text import parse

NAME = "comparison.json"
FORMAT = 1


def comparison_folder(name: str, parts: Iterable[str]) -> Path:
    """A folder for a comparison that is given none; the same for the same parts.

    name: what it begins with. parts: what the comparison is of, such as the keys of its runs.
    """
    digest = blake2b(" ".join(sorted(parts)).encode(), digest_size=4).hexdigest()
    return runs_folder() / "comparisons" / f"{name}_{digest}"


def folder_of(paths: Sequence[Path]) -> Path:
    """Where the page about runs that are only read goes: where they are one comparison's, to its own folder."""
    one_comparison = len(paths) == 1 and (paths[0] / NAME).is_file()
    return paths[0] if one_comparison else comparison_folder("runs", map(str, paths))


def write_record(
    folder: Path, runs: Mapping[Path, str], *, overrides: Sequence[str], failed: Mapping[Path, str] | None = None
) -> None:
    """Writes the record into the folder, which is made where it is not there.

    runs: directories, and what they are called. overrides: what the user wrote. failed: why, of those runs that failed.
    """
    errors = failed or {}
    places = [
        {"label": label, "directory": Path(os.path.relpath(run, folder)).as_posix()}
        | ({"error": errors[run]} if run in errors else {})
        for run, label in runs.items()
    ]
    content = {"format": FORMAT, "asked": list(overrides), "runs": places}
    write_atomically(folder / NAME, json.dumps(content, indent=2) + "\n")


def recorded(file: Path) -> list[Path]:
    """The directories of a record's runs; raises UserError where it cannot be read."""
    return [_directory(file, run) for run in _runs(file)]


class FailedRun(NamedTuple):
    """What a run that failed is called, and why it did."""

    label: str
    why: str


def failures(file: Path) -> dict[Path, FailedRun]:
    """Those of its runs that have failed, by their directories."""
    return {_directory(file, run): FailedRun(run["label"], run["error"]) for run in _runs(file) if "error" in run}


def overrides_of(file: Path) -> list[str]:
    """The overrides that the user wrote for a comparison."""
    return [str(each) for each in _content(file).get("asked", [])]


def _content(file: Path) -> dict[str, Any]:
    content = parse(file.read_bytes(), str(file))
    if content.get("format") != FORMAT:
        fix = "Use the version of fedmed that wrote it."
        raise refuse(str(file), f"a record of format {FORMAT}", content.get("format"), fix)
    return content


def _runs(file: Path) -> list[dict[str, str]]:
    runs: list[dict[str, str]] = _content(file)["runs"]
    return runs


def _directory(file: Path, run: Mapping[str, str]) -> Path:
    return Path(os.path.normpath(file.parent / run["directory"]))
