"""The config.yaml of a run directory as plain values, read as data: the directory may be a stranger's.

To read resolves nothing (`${oc.env:...}` would show what is in the environment) and follows no aliases (a few lines of
them grow to gigabytes).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fedmed.errors import refuse

CONFIG = "config.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Safe, and ten times as fast as PyYAML's own where that was built with libyaml."""


def refuse_aliases(text: str, where: str) -> None:
    """Raises `UserError` where YAML refers to parts of itself, which no config of a run does."""
    try:
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, LOADER)):
            raise refuse(where, "a configuration without aliases", "one with", "fedmed did not write it so.")
    except (yaml.YAMLError, RecursionError) as error:
        raise refuse(where, "a configuration", first_line(error), "Restore it.") from error


def read_values(folder: Path) -> dict[str, Any]:
    """The values of the config of the run in a folder; raises `UserError` where there are none."""
    path = folder / CONFIG
    try:
        text = path.read_text(encoding="utf-8")
        refuse_aliases(text, str(path))
        found = yaml.load(text, LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise refuse(str(path), "a configuration", f"{CONFIG} cannot be read ({first_line(error)})") from error
    if not isinstance(found, dict):
        raise refuse(str(path), "a configuration", f"{CONFIG} is not one of a run")
    return found


def first_line(error: Exception) -> str:
    """What an error says, without its context."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
