"""The hard limits of the house style: no file over 300 lines, no function over 50; the rest is a printed report."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks import code_budget as budget


def test_no_file_over_300_lines() -> None:
    long = {str(path.relative_to(budget.ROOT)): budget.lines(path) for path in budget.files(*budget.SOURCE, "tests")}
    assert {name: n for name, n in long.items() if n > 300} == {}


def test_no_function_over_50_lines() -> None:
    found = [f for path in budget.files(*budget.SOURCE, "tests", "benchmarks", "tools") for f in budget.functions(path)]
    assert [f for f in found if f.lines > 50] == []


def test_the_report_names_every_figure() -> None:
    rows = {line[:38].strip(): line[38:] for line in budget.report().splitlines()}
    assert [name for name, value in rows.items() if not value[0].isdigit() and not value.startswith("median")] == []
    assert {"source lines", "longest body", "uses of Any", "modules with one importer, beside it"} <= rows.keys()


def test_the_report_is_of_any_checkout(tmp_path: Path) -> None:
    for name, source in (
        ("fedmed/a/b.py", "from typing import Any\ndef f(x: Any) -> None:  # type: ignore[x]\n    build(c.engine)"),
        ("fedmed/a/c.py", "from fedmed.a import b\nfrom omegaconf import DictConfig\nbuild(c.model)"),
        ("fedmed/a/d.py", "def g(): ...\ndef h(): ..."),
        ("fedmed/e.py", "from fedmed.a import c"),
        ("tests/test_f.py", "pass"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    rows = {line[:38].strip(): line[38:] for line in budget.report(tmp_path).splitlines()}
    assert (rows["source files"], rows["source lines"], rows["functions"]) == ("4", "9", "3")
    assert budget.one_importer(tmp_path) == ["fedmed.a.b"]
    assert (rows["uses of Any"], rows["type: ignore, pyright: ignore"]) == ("1", "1, 0")
    assert (rows["places that build an engine"], rows["files with DictConfig or OmegaConf"]) == ("1", "1")


@pytest.mark.parametrize(
    ("source", "lines", "complexity"),
    [
        ('def f():\n    """Doc."""', 0, 1),
        ('def f(x):\n    """Doc."""\n    return x', 1, 1),
        ("def f(x):\n    if x and not x:\n        return 1\n    return [y for y in x if y]", 3, 4),
    ],
)
def test_a_function_is_measured(source: str, lines: int, complexity: int) -> None:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (budget.body_lines(node), budget.complexity(node)) == (lines, complexity)
