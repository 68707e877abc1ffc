"""The contract of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from flwr.clientapp import ClientApp

from fedmed.flower import LocalGrid


@dataclass(frozen=True, kw_only=True)
class Engine(ABC):
    """Where clients' rounds run; each file in fedmed/engine holds one subclass, whose fields are its options."""

    @abstractmethod
    def grid(self, app: ClientApp, clients: int) -> LocalGrid:
        """A grid of `clients` nodes that run the app."""
