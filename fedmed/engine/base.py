"""The contract of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from fedmed.client import Trainer
from fedmed.flower import LocalGrid


@dataclass(frozen=True, kw_only=True)
class Engine(ABC):
    """Where clients' rounds run; each file in fedmed/engine holds one subclass, whose fields are its options."""

    @abstractmethod
    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        """A grid of `clients` nodes that run the trainer's ClientApp; to be closed, as it may hold processes."""
