"""The hard limits of the house style: no file over 300 lines, no function over 50; the rest is a printed report."""

from __future__ import annotations

import ast

import pytest

from benchmarks import code_budget as budget


def test_no_file_over_300_lines() -> None:
    long = {str(path.relative_to(budget.ROOT)): budget.lines(path) for path in budget.files(*budget.SOURCE, "tests")}
    assert {name: n for name, n in long.items() if n > 300} == {}


def test_no_function_over_50_lines() -> None:
    found = [f for path in budget.files(*budget.SOURCE, "tests", "benchmarks", "tools") for f in budget.functions(path)]
    assert [f for f in found if f.lines > 50] == []


def test_the_report_names_every_figure() -> None:
    report = budget.report()
    assert [
        row for row in ("source lines", "longest file", "longest body", "highest complexity") if row not in report
    ] == []


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
