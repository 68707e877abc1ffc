"""What of a config can change a result: all but where it runs, where files lie, and who follows it."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from pathlib import Path

from fedmed.config.plain import PATHS
from fedmed.config.values import Config

TOLERANCE = ("on_client_error", "min_clients", "client_timeout")
"""Settings that change nothing of a run whose clients are all sound; a resumed run may have others."""

UNIDENTIFIED = ("resume", "device", "engine", "checkpoint_every", "tracking", *TOLERANCE)
"""Settings that change no result, and so not the identity of a run."""


def identified(config: Config, *, without: tuple[str, ...] = ()) -> str:
    """The config as JSON, without what cannot change a result and without paths; the user's code by what it says.

    without: further settings that are left out.
    """
    kept = {name: value for name, value in config.values.items() if name not in (*UNIDENTIFIED, *without)}
    for name in PATHS:
        group, _, option = name.partition(".")
        kept[group] = {key: value for key, value in kept[group].items() if key != option}
    text = json.dumps(kept, sort_keys=True)
    for file in set(re.findall(r'"([^"]+\.py):', text)):
        text = text.replace(f'"{file}:', f'"{blake2b(Path(file).read_bytes()).hexdigest()}:')
    return text


def tolerated(config: Config) -> str:
    """What a run does about clients at fault, where it goes on without them; empty where it stops."""
    if config.get("on_client_error", "stop") == "stop":
        return ""
    return json.dumps([config[name] for name in TOLERANCE])
