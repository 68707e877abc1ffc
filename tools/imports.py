"""Who imports whom: the import graph of a checkout, read from the syntax trees of its files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE_FOLDERS = ("fedmed", "strategies", "datasets")
"""Folders of the checkout that are installed; the last two import as `fedmed.strategies` and `fedmed.datasets`."""

DEVELOPERS_FOLDERS = ("tests", "benchmarks", "tools")
"""Folders of the checkout that import under their own names and are not installed."""

Graph = dict[str, set[str]]
"""Module -> the modules that it imports, all by full dotted name."""


def module_name(path: Path) -> str:
    """`datasets/npz.py`, relative to the checkout, imports as `fedmed.datasets.npz`; a package as its folder."""
    parts = path.with_suffix("").parts
    prefix = ("fedmed",) if parts[0] in PACKAGE_FOLDERS[1:] else ()
    return ".".join((*prefix, *(part for part in parts if part != "__init__")))


def modules(root: Path, folders: tuple[str, ...] = PACKAGE_FOLDERS) -> dict[str, Path]:
    """Every module in these folders of a checkout by its import name."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return {module_name(path.relative_to(root)): path for path in paths}


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file, read once."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(module: str, path: Path, known: frozenset[str]) -> Iterator[str]:
    """What the file imports, at its top or lazily: names in `known` where it names such, else those it writes."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield from (inner if (inner := f"{base}.{alias.name}") in known else base for alias in node.names)


def graph(root: Path) -> Graph:
    """Who imports whom among the modules of a checkout that are installed."""
    found = modules(root)
    known = frozenset(found) | {name.rpartition(".")[0] for name in found}
    return {
        name: {target for target in imported(name, path, known) if target.partition(".")[0] == "fedmed"} - {name}
        for name, path in found.items()
        if name != "fedmed"  # it lists what is public, and imports none of it before somebody asks
    } | {"fedmed": set()}
