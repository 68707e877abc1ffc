"""A setting of a composed config as a user would write it."""

from __future__ import annotations

import re

from omegaconf import DictConfig, OmegaConf

from fedmed.config.discovery import GROUPS
from fedmed.config.options import snake


def written(config: DictConfig, key: str) -> str:
    """`fedprox+fedbn` for strategy, `dirichlet` for partition, `0.05` for optimizer.lr; `no such option` for others."""
    value = OmegaConf.select(config, key, default="no such option")
    if key == "strategy":
        return "+".join(map(str, value))
    if key in GROUPS:
        return _option(str(value._target_), GROUPS[key].base)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _option(target: str, base: str) -> str:
    """The option of a target: by its class where several share a file, else by its file."""
    *_, module, name = re.split(r"\.py:|[.:/]", target)
    cut = name.removesuffix(base)
    return snake(cut) if cut != name else module
