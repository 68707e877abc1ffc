"""What of a config can change a result: all but where it runs, where files lie, and who follows it."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fedmed.config.compose import PATHS

UNIDENTIFIED = ("resume", "device", "engine", "checkpoint_every", "tracking")
"""Settings that change no result, and so not the identity of a run."""


def identified(config: DictConfig, *, without: tuple[str, ...] = ()) -> str:
    """The config as JSON, without what cannot change a result and without paths; the user's code by what it says.

    without: further settings that are left out.
    """
    kept: Any = OmegaConf.to_container(config, resolve=True)
    for name in (*UNIDENTIFIED, *without):
        kept.pop(name, None)
    for name in PATHS:
        group, _, option = name.partition(".")
        kept[group].pop(option, None)
    text = json.dumps(kept, sort_keys=True)
    for file in set(re.findall(r'"([^"]+\.py):', text)):
        text = text.replace(f'"{file}:', f'"{blake2b(Path(file).read_bytes()).hexdigest()}:')
    return text
