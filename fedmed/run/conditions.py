"""The conditions of a config, and what of them cannot go together."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from omegaconf import DictConfig

from fedmed.config.build import build
from fedmed.server import Conditions

NETWORK = ("sampling", "failures", "system")
"""Conditions that there are only among several clients."""


def build_conditions(config: DictConfig) -> Conditions:
    """The conditions that a config asks for; images in one place wait for nobody, whatever it says of clients."""
    ideal = NETWORK if config.pooled else ()
    return Conditions(**{part.name: build(config[part.name]) for part in fields(Conditions) if part.name not in ideal})


def fingerprint(config: DictConfig) -> bytes:
    """What stands in the files that the conditions name."""
    path = config.sampling.get("path")
    return Path(path).read_bytes() if path else b""
