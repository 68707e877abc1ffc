"""Importing a library that asks for torchvision and needs none of it for what is wanted here.

A torchvision from the package index does not import beside a CPU build of torch, and replaces that build elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LIBRARY = "torchvision"


def imported(name: str) -> ModuleType:
    """The module of that name. Where torchvision does not import, empty classes stand for its names meanwhile."""
    if (module := sys.modules.get(name)) is not None:
        return module
    try:
        import_module(LIBRARY)
    except (ImportError, RuntimeError, OSError):  # none there, or one for another build of torch
        return _imported_beside_stand_ins(name)
    return import_module(name)


def _imported_beside_stand_ins(name: str) -> ModuleType:
    _forget()
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        return import_module(name)
    finally:
        sys.meta_path.remove(finder)
        _forget()  # others who ask later have to see that there is none


def _forget() -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == LIBRARY]:
        del sys.modules[name]


class _Finder(MetaPathFinder, Loader):
    """Finds an empty module for torchvision and whatever is in it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] == LIBRARY else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(ModuleType):
    """A module with a class of any name."""

    def __getattr__(self, name: str) -> type:
        return _empty(name)


class _Empty(type):
    """A class of which every attribute is another empty class."""

    def __getattr__(cls, name: str) -> type:
        return _empty(name)


def _empty(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Empty(name, (), {})
