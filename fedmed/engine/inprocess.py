"""In process: clients run one after another in this process, with no Ray, no sockets and no serialisation."""

from __future__ import annotations

from dataclasses import dataclass

from fedmed.engine.base import Engine


@dataclass(frozen=True, kw_only=True)
class InprocessEngine(Engine):
    """One client after another in this process: the plainest engine, and the one to debug in."""
