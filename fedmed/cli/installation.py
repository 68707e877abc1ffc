"""Whether this installation is whole: the package index has another library whose import name is `fedmed` too."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from fedmed.errors import refuse

DISTRIBUTION = "fedmed-sim"
"""What pip installs; its import name and its command are `fedmed`."""

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the package: site-packages, or the checkout."""


def refuse_another_fedmed(path: Sequence[str] | None = None) -> None:
    """Raises UserError where another distribution's files mix with ours, or would be imported in their place.

    Lists folders by hand, which takes a millisecond at most, because importlib.metadata alone takes several to import.
    """
    for record in _records(sys.path if path is None else path):
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        both = f"pip uninstall {name.lower()} {DISTRIBUTION}"
        fix = f"Both have a package called fedmed. Run {both}, then install {DISTRIBUTION} again."
        expected = f"no other distribution with a package called fedmed beside {DISTRIBUTION}"
        raise refuse("installation", expected, f"{name} {version} in {record.parents[1]}", fix)


def _records(path: Sequence[str]) -> Iterator[Path]:
    """RECORD files of distributions called fedmed that hold the package; an editable install only links to it.

    Folders behind ours on the path can stay: what they hold is never imported.
    """
    for folder in map(Path, path):
        names: list[str] = []
        with suppress(OSError):
            names = [name for name in os.listdir(folder) if name.lower().startswith("fedmed-")]
        for name in names:
            record = folder / name / "RECORD"
            if name.endswith(".dist-info") and _holds_the_package(record):
                yield record
        if folder.resolve() == ROOT:
            return


def _holds_the_package(record: Path) -> bool:
    with suppress(OSError):
        return "\nfedmed/__init__.py," in f"\n{record.read_text(encoding='utf-8', errors='replace')}"
    return False
