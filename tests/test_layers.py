"""Imports go one way: each module imports strictly lower layers only, wherever in the file the import stands."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools.imports import Graph, graph, modules

ROOT = Path(__file__).resolve().parents[1]

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "offline", "heap", "workers", "files", "formatting"}),
    frozenset({"options"}),
    frozenset({"rng", "devices", "checks"}),
    frozenset({"metric_direction", "tasks", "models", "optimizers", "compression"}),
    frozenset({"metrics"}),
    frozenset({"data"}),
    frozenset({"method"}),
    frozenset({"client", "server"}),
    frozenset({"flower"}),
    frozenset({"engine"}),
    frozenset({"rundir"}),
    frozenset({"tracking"}),
    frozenset({"experiment"}),
    frozenset({"initial_net", "config"}),
    frozenset({"comparison"}),
    frozenset({"terminal"}),
    frozenset({"report", "inference"}),
    frozenset({"deploy"}),
    frozenset({"run"}),
    frozenset({"campaign"}),
    frozenset({"tuning", "api"}),
    frozenset({"scheduling"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""Modules and packages of fedmed, lowest first; fedmed itself (its version) lies below them all."""

RANK = {unit: rank for rank, row in enumerate(LAYERS) for unit in row} | {"": -1}
STRATEGIES_MAY_IMPORT = frozenset(unit for unit, rank in RANK.items() if rank <= RANK["method"])
DATASETS_MAY_IMPORT = frozenset({"", "data", "rng", "errors"})


def unit(module: str) -> str:
    """`fedmed.data.shift` -> `data`; fedmed itself -> the empty name."""
    return ([*module.split("."), ""])[1]


def allowed(importer: str, target: str) -> bool:
    """Whether the layers permit this import."""
    mine, theirs = unit(importer), unit(target)
    if mine == theirs and mine in {"strategies", "datasets"}:
        return target.rpartition(".")[2].startswith("_")  # a private module, which no user can choose
    if mine in {"experiment", "api"} and theirs in {"strategies", "datasets"}:
        return True  # a method and a dataset as defaults, a method as reference
    if mine == "strategies":
        return theirs in STRATEGIES_MAY_IMPORT
    if mine == "datasets":
        return theirs in DATASETS_MAY_IMPORT
    return theirs in RANK and (mine == theirs or RANK[theirs] < RANK[mine])


def violations(imports: Graph) -> list[str]:
    """Every import that the layers forbid, as `importer -> imported`."""
    return [f"{name} -> {t}" for name, targets in imports.items() for t in sorted(targets) if not allowed(name, t)]


def test_every_module_has_a_layer() -> None:
    units = {unit(name) for name in modules(ROOT)} - {"strategies", "datasets"}
    assert units - set(RANK) == set(), "give the new module a row in LAYERS"


def test_imports_go_to_lower_layers_only() -> None:
    assert violations(graph(ROOT)) == []


def test_no_import_cycle() -> None:
    assert cycle(graph(ROOT)) == []


def cycle(imports: Graph) -> list[str]:
    """One cycle of imports as a list of modules; empty when there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("fedmed/rng.py", "from fedmed.run import run", ["fedmed.rng -> fedmed.run"]),
        ("fedmed/rng.py", "import fedmed.config", ["fedmed.rng -> fedmed.config"]),
        ("fedmed/client.py", "from fedmed.server import sample", ["fedmed.client -> fedmed.server"]),
        ("fedmed/rng.py", "from fedmed import config", ["fedmed.rng -> fedmed.config"]),
        ("fedmed/rng.py", "from . import config", ["fedmed.rng -> fedmed.config"]),
        ("fedmed/rng.py", "def f():\n    from fedmed.method import Method", ["fedmed.rng -> fedmed.method"]),
        ("fedmed/data/shift.py", "from ..method import Method", ["fedmed.data.shift -> fedmed.method"]),
        ("fedmed/data/shift.py", "from .partition import split", []),
        ("fedmed/flower/grid.py", "from fedmed.engine import base", ["fedmed.flower.grid -> fedmed.engine"]),
        ("fedmed/engine/pool.py", "import fedmed.strategies.a", ["fedmed.engine.pool -> fedmed.strategies.a"]),
        ("fedmed/run.py", "from fedmed import strategies", ["fedmed.run -> fedmed.strategies"]),
        ("fedmed/method.py", "from fedmed import __version__\nimport torch", []),
        ("strategies/a.py", "from fedmed.method import Method\nfrom fedmed.rng import generator", []),
        ("strategies/a.py", "from fedmed.strategies.b import B", ["fedmed.strategies.a -> fedmed.strategies.b"]),
        ("strategies/a.py", "from fedmed.strategies._c import c", []),
        ("strategies/_c.py", "from fedmed.strategies.b import B", ["fedmed.strategies._c -> fedmed.strategies.b"]),
        ("strategies/a.py", "from fedmed.client import train", ["fedmed.strategies.a -> fedmed.client"]),
        ("datasets/a.py", "from fedmed.tasks import Task", ["fedmed.datasets.a -> fedmed.tasks"]),
        ("datasets/a.py", "from fedmed.data.examples import Table", []),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, path: str, source: str, found: list[str]) -> None:
    for name in ("fedmed/__init__.py", "fedmed/config.py", "strategies/b.py", "strategies/_c.py", path):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / path).write_text(source, encoding="utf-8")
    assert violations(graph(tmp_path)) == found


def test_a_cycle_is_found() -> None:
    loop = {"fedmed.data.a": {"fedmed.data.b"}, "fedmed.data.b": {"fedmed.data.a"}}
    assert set(cycle(loop)) == {"fedmed.data.a", "fedmed.data.b"}
