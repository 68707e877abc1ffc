"""Finished runs on disk, and why others are left out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmed.comparison import record
from fedmed.comparison.runs import ComparedRun
from fedmed.config.values import Config
from fedmed.errors import UserError, refuse
from fedmed.metric_direction import HIGHER_IS_BETTER
from fedmed.rundir.config_file import read_values
from fedmed.rundir.directory import FORMAT
from fedmed.rundir.json_text import parse
from fedmed.rundir.schema import check_numbers

_TARGET = re.compile(r"\w[.:]\w")
"""What names a class: its module or file before it."""

SIGNS = frozenset({"run.json", "final.json", "rounds.jsonl"})
"""A folder with one of these is meant as a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A finished run.

    created: when, as ISO text. fingerprints: digests of its data, test set and methods; None where they are not known.
    """

    run: ComparedRun
    created: str
    fingerprints: Mapping[str, str] | None


def find(paths: Sequence[Path]) -> tuple[list[FinishedRun], list[str]]:
    """Finished runs in the order of the paths, those of one path by time; and a note for each that is left out.

    A path is a run directory or a folder of them, however deep; the folder of a comparison stands for its runs. Raises
    UserError where a path does not exist.
    """
    found: dict[Path, FinishedRun] = {}
    notes: dict[Path, str] = {}
    for path in paths:
        if not path.is_dir():
            raise refuse(str(path), "a run directory or a folder of them", "nothing there", "Check the path.")
        here: list[FinishedRun] = []
        for folder in _folders(path):
            key = folder.resolve()
            if key in found or key in notes:
                continue
            try:
                here.append(_read(folder))
            except UserError as error:
                notes[key] = f"{folder} was skipped: {'; '.join(fault.got for fault in error.faults)}."
        found |= {each.run.path.resolve(): each for each in sorted(here, key=lambda each: each.created)}
    return list(found.values()), list(notes.values())


def _folders(path: Path) -> Iterator[Path]:
    """Run directories at or below the path, sorted, and those of comparisons; nothing is looked for inside of them."""
    for folder, below, files in os.walk(path):
        if record.NAME in files:
            yield from record.recorded(Path(folder, record.NAME))
        if SIGNS & set(files):
            below.clear()
            yield Path(folder)
        below[:] = sorted(name for name in below if not name.startswith("."))


def _read(folder: Path) -> FinishedRun:
    """The run in the folder; raises UserError saying what keeps it from being compared."""
    about = content_of(folder / "run.json")
    if about.get("format") != FORMAT:
        raise refuse(str(folder), f"format {FORMAT}", f"it is of format {about.get('format')} and not {FORMAT}")
    if about.get("status") != "finished":
        raise refuse(str(folder), "a finished run", "it has not ended")
    config, known = config_at(folder), about.get("marks")
    return FinishedRun(
        run=ComparedRun(
            path=folder,
            seed=int(config["seed"]),
            config=config,
            final=content_of(folder / "final.json"),
            directions={**HIGHER_IS_BETTER, **_declared(about.get("better"))},
        ),
        created=str(about.get("created", "")),
        fingerprints={str(name): str(mark) for name, mark in known.items()}
        if isinstance(known, dict) and known
        else None,
    )


def _declared(better: object) -> dict[str, bool]:
    """Directions of the user's own metrics, as run.json keeps them: higher or lower."""
    found = better.items() if isinstance(better, dict) else ()
    return {str(name): way == "higher" for name, way in found if way in ("higher", "lower")}


def content_of(path: Path) -> dict[str, Any]:
    """The object in run.json or final.json of a run; raises UserError."""
    try:
        found = parse(path.read_bytes(), path.name)
        if path.name == "final.json":
            check_numbers(found, path.name)
        return found
    except OSError as error:
        raise refuse(str(path), "a file", f"{path.name} cannot be read ({error.strerror})") from error
    except UserError as error:
        fault = error.faults[0]
        raise refuse(str(path), fault.expected, f"{fault.where}: {fault.got}") from error


def config_at(folder: Path) -> Config:
    """The configuration of a run; raises UserError where it is not one."""
    found = Config(read_values(folder))
    if not _of_a_run(found):
        raise refuse(f"{folder}/config.yaml", "a configuration", "config.yaml is not one of a run")
    return found


def _of_a_run(config: Config) -> bool:
    """Whether a seed and methods are there, and every option says what it is."""
    methods = config.values.get("strategy")
    if not isinstance(config.values.get("seed"), int) or not isinstance(methods, dict):
        return False
    nodes = list(config.nodes())
    return (
        len(methods) == sum(node.group == "strategy" for node in nodes)
        and all(_TARGET.search(node.target) for node in nodes)
        and all(isinstance(node.values.get("local") or [], list) for node in nodes if node.group == "strategy")
    )
