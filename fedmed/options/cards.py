"""Cards of public federations: presets of datasets, whose comments say where images are from and what to download."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import yaml

FIELDS = ("source", "licence", "sites", "task", "metric", "citation", "download")
"""What the comments of every card say after its title, in this order."""

PATHS = ("path", "join", "root")
"""Options that name what must have been downloaded."""


class Card(NamedTuple):
    """One card: the preset's name, what its comments say (by `FIELDS`), and the paths that it reads."""

    name: str
    title: str
    said: Mapping[str, str]
    paths: tuple[str, ...]

    def missing(self) -> list[str]:
        """The paths that are not there, from the working folder on."""
        return [path for path in self.paths if not Path(path).expanduser().exists()]


def cards() -> list[Card]:
    """All cards of fedmed, by name."""
    found = {file.name: file for file in (files("fedmed.configs") / "dataset").iterdir()}
    return [
        read_card(name.removesuffix(".yaml"), found[name].read_text(encoding="utf-8"))
        for name in sorted(found)
        if name.endswith(".yaml")
    ]


def read_card(name: str, text: str) -> Card:
    """The card in a preset's text: a title, then a line for each field, which an indented one continues."""
    comments = [line[1:] for line in text.splitlines() if line.startswith("#") and not line.startswith("# @")]
    said: dict[str, str] = {}
    field = ""
    for line in comments[1:]:
        first, colon, rest = line.strip().partition(":")
        if colon and first in FIELDS:
            field, said[first] = first, rest.strip()
        elif field:
            said[field] += " " + line.strip()
    values = yaml.safe_load(text)
    return Card(name, comments[0].strip(), said, tuple(values[key] for key in PATHS if values.get(key)))
