"""The conditions of a config, and what of them cannot go together."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from omegaconf import DictConfig

from fedmed.config.build import build
from fedmed.server import Conditions


def build_conditions(config: DictConfig) -> Conditions:
    """The conditions that a config asks for."""
    return Conditions(**{part.name: build(config[part.name]) for part in fields(Conditions)})


def fingerprint(config: DictConfig) -> bytes:
    """What stands in the files that the conditions name."""
    path = config.sampling.get("path")
    return Path(path).read_bytes() if path else b""
