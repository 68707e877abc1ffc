"""A setting of a composed config as a user would write it."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from fedmed.config.discovery import GROUPS
from fedmed.config.options import named


def written(config: DictConfig, key: str) -> str:
    """`fedprox+fedbn` for strategy, `dirichlet` for partition, `0.05` for optimizer.lr; `no such option` for others."""
    value = OmegaConf.select(config, key, default="no such option")
    if key == "strategy":
        return "+".join(map(str, value))
    if key in GROUPS:
        return named(str(value._target_), GROUPS[key].base)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
