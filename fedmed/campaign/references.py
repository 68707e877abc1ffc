"""The two references beside every federated number: clients on their own, and everyone's images in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fedmed.config.schema import node_of
from fedmed.config.values import Config
from fedmed.options.catalogue import Catalogue

NEUTRAL = {"server": "average", "compression": "none", "privacy": "none"}
"""What is done to what clients send, which they do not in a reference."""


def references(configs: Iterable[Config], catalogue: Catalogue) -> Iterator[Config]:
    """For every config the same with plain local training by each client alone, and by one that holds all images.

    Nothing for a config that is a reference itself, or whose images stay at their sites.
    """
    method = node_of(catalogue.options["strategy"]["fedavg"])
    neutral: dict[str, Any] = {group: node_of(catalogue.options[group][name]) for group, name in NEUTRAL.items()}
    for config in configs:
        if config["pooled"] or config.get("engine.sites") or _alone(config):
            continue
        yield config.changed(**neutral, strategy={"fedavg": {**method, "local": ["*"]}})
        yield config.changed(**neutral, strategy={"fedavg": method}, pooled=True)


def _alone(config: Config) -> bool:
    return any("*" in (node.values.get("local") or ()) for node in config.nodes(["strategy"]))
