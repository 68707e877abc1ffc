"""The two references beside every federated number: clients on their own, and everyone's images in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fedmed.config.discovery import Catalogue

NEUTRAL = {"server": "average", "compression": "none", "privacy": "none"}
"""What is done to what clients send, which they do not in a reference."""


def references(configs: Iterable[DictConfig], catalogue: Catalogue) -> Iterator[DictConfig]:
    """For every config the same with plain local training by each client alone, and by one that holds all images.

    Nothing for a config that is a reference itself, or whose images stay at their sites.
    """
    for config in configs:
        plain: Any = OmegaConf.to_container(config, resolve=True)
        if plain["pooled"] or plain["engine"].get("sites") or _alone(plain["strategy"]):
            continue
        plain |= {group: _node(catalogue, group, name) for group, name in NEUTRAL.items()}
        method = _node(catalogue, "strategy", "fedavg")
        yield _config(plain | {"strategy": {"fedavg": method | {"local": ["*"]}}})
        yield _config(plain | {"strategy": {"fedavg": method}, "pooled": True})


def _alone(members: dict[str, Any]) -> bool:
    return any("*" in (member.get("local") or ()) for member in members.values())


def _node(catalogue: Catalogue, group: str, name: str) -> dict[str, Any]:
    """An option with its defaults, as a config holds it."""
    option = catalogue.options[group][name]
    values = {field.name: field.default for field in option.fields}
    return {"_target_": option.target} | {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _config(plain: dict[str, Any]) -> DictConfig:
    config = OmegaConf.create(plain)
    OmegaConf.set_struct(config, True)
    return config
