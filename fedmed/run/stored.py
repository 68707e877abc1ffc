"""The configuration of a run that goes on: its own, but for what a resumed run may have otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from fedmed.config.identity import TOLERANCE
from fedmed.config.plain import PATHS
from fedmed.config.stored import check_code, check_values, read_stored
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import UserError, refuse
from fedmed.options.fields import read_value
from fedmed.options.groups import SETTINGS
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.progress import RunDisplay


def stored(kept: RunDirectory, overrides: list[str], trusted: Sequence[Path], show: RunDisplay) -> Config:
    """The run's own config; an override may only repeat it, but for TOLERANCE and `rounds`, which `lengthen` checks.

    What it names of users' code must be trusted, or repeated by an override; what will be imported is shown.
    """
    config = read_stored(kept.path)
    repeated = [Path(file) for override in overrides for file in re.findall(r"[^\[\],'\"=]+\.py", override)]
    for file in check_code(config, kept.path, [*trusted, *repeated]):
        show.note(f"{kept.path} imports {file}")
    check_values(config, kept.path)
    for override in overrides:
        key, _, value = override.partition("=")
        if key in TOLERANCE or (key == "rounds" and value.isdecimal()):
            config = config.changed(**{key: read_value(yaml.safe_load(value), SETTINGS[key].type)})
            continue
        own, given = config.text(key), str(Path(value).expanduser().resolve()) if key in PATHS else value
        if own != given:
            fix = "A resumed run keeps its configuration: leave the option out, or start a new run."
            raise refuse(key, f"{own} as in {kept.path}", value, fix)
    if wrong := [fault for fault in validate(config) if fault.where in TOLERANCE]:
        raise UserError(*wrong)
    return config
