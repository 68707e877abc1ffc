"""fedmed: federated-learning simulation for medical imaging."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"


class _CheckoutFinder:
    """Imports `fedmed.{strategies,datasets,configs}` from the folders beside the package, in a checkout."""

    folders = frozenset({"fedmed.strategies", "fedmed.datasets", "fedmed.configs"})
    root = str(Path(__file__).resolve().parents[1])

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of one of the three folders; None for any other module."""
        return PathFinder.find_spec(name, [cls.root]) if name in cls.folders else None


if not (Path(__file__).parent / "strategies").exists():
    sys.meta_path.append(_CheckoutFinder)
