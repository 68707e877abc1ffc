"""What of a config can change a result: all but where it runs, where files lie, and who follows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fedmed.config.plain import PATHS
from fedmed.config.stored import code_of
from fedmed.config.values import Config
from fedmed.options.source import sources

TOLERANCE = ("on_client_error", "min_clients", "client_timeout")
"""Settings that change nothing of a run whose clients are all sound; a resumed run may have others."""

UNIDENTIFIED = ("resume", "device", "engine", "checkpoint_every", "tracking", *TOLERANCE)
"""Settings that change no result, and so not the identity of a run."""


def identified(config: Config, *, without: tuple[str, ...] = ()) -> str:
    """The config as JSON, without what cannot change a result and without paths; the user's code by what it says.

    without: further settings that are left out.
    """
    kept = {name: value for name, value in config.values.items() if name not in (*UNIDENTIFIED, *without)}
    for group, _, option in (name.partition(".") for name in PATHS):
        if group in kept:
            kept[group] = {key: value for key, value in kept[group].items() if key != option}
    text = json.dumps(kept, sort_keys=True)
    for file in set(re.findall(r'"([^"]+\.py):', text)):
        text = text.replace(f'"{file}:', f'"{blake2b(Path(file).read_bytes()).hexdigest()}:')
    return text


def files_beside(config: Config) -> list[Path]:
    """Files that can change a result and that `identified` does not hold by what they say.

    They are the private modules that users' code imports, and what options named `path` are read from. Those of `PATHS`
    are left out: what they give is known by the images, rows, weights and traces that it gives.
    """
    chosen = Config({name: value for name, value in config.values.items() if name not in UNIDENTIFIED})
    code = {file for file in code_of(chosen) if file.suffix == ".py"}
    paths = {f"{node.where}.path": node.values.get("path") for node in chosen.nodes()}
    read = {Path(path) for where, path in paths.items() if where not in PATHS and path and isinstance(path, str)}
    return sorted(read | {private for file in code for private in sources(file)[1:]} - code)


def digest_of_files(files: Sequence[Path]) -> str:
    """A digest of what the files hold, in order; nothing of one that is not there. Empty where there are no files."""
    held = [blake2b(file.read_bytes() if file.is_file() else b"").digest() for file in files]
    return blake2b(b"".join(held), digest_size=16).hexdigest() if held else ""


def as_kept(config: Config, kept: Config) -> Config:
    """A config without the settings and fields that a kept one lacks: fedmed has gained them since, at their defaults.

    A run of an earlier version so has the identity that it was given then.
    """
    found: Any = _within(config.values, kept.values)
    return Config(found)


def _within(values: Any, kept: Any) -> Any:
    if not isinstance(values, Mapping) or not isinstance(kept, Mapping):
        return values
    return {name: _within(value, kept[name]) for name, value in values.items() if name in kept}


def tolerated(config: Config) -> str:
    """What a run does about clients at fault, where it goes on without them; empty where it stops."""
    if config.get("on_client_error", "stop") == "stop":
        return ""
    return json.dumps([config[name] for name in TOLERANCE])
