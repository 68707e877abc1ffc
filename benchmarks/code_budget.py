"""The size and the shape of the code, as a report: `python benchmarks/code_budget.py`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("fedmed", "strategies", "datasets")
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Measured:
    """One function.

    where: file and line.
    name: as defined.
    lines: lines of its body, docstring excluded.
    complexity: branches and loops, plus one.
    """

    where: str
    name: str
    lines: int
    complexity: int


def files(*folders: str) -> list[Path]:
    """Python files of the folders, in order."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def lines(path: Path) -> int:
    """Lines of a file, blank ones included."""
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> list[Measured]:
    """Every function and method of a file, measured."""
    where = path.relative_to(ROOT)
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, Function)]
    return [Measured(f"{where}:{node.lineno}", node.name, body_lines(node), complexity(node)) for node in nodes]


def body_lines(node: Function) -> int:
    """Lines of the body, docstring excluded; 0 where there is nothing else."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def complexity(node: Function) -> int:
    """Branches and loops in the function, plus one; a chain of `and` or `or` counts each further operand."""
    inside = list(ast.walk(node))
    operands = sum(len(part.values) - 1 for part in inside if isinstance(part, ast.BoolOp))
    return 1 + operands + sum(isinstance(part, BRANCHES) for part in inside)


def report() -> str:
    """The budget as text: one row per figure, then the largest of each kind."""
    sources, tests = files(*SOURCE), files("tests")
    found = [f for path in sources for f in functions(path)]
    sizes = {path: lines(path) for path in sources}
    test_lines = sum(map(lines, tests))
    longest_file = max(sizes, key=lambda path: sizes[path])
    longest, hardest = max(found, key=lambda f: f.lines), max(found, key=lambda f: f.complexity)
    bodies = [f.lines for f in found]
    rows = [
        ("source files", f"{len(sources)}"),
        ("source lines", f"{sum(sizes.values())}"),
        (
            "test lines per source line",
            f"{test_lines / sum(sizes.values()):.2f}  ({len(tests)} files, {test_lines} lines)",
        ),
        ("median file", f"{median(sizes.values()):.0f} lines"),
        ("longest file", f"{sizes[longest_file]} lines  {longest_file.relative_to(ROOT)}"),
        ("functions", f"{len(found)}"),
        ("median body", f"{median(bodies):.0f} lines"),
        ("99 % of bodies", f"within {quantiles(bodies, n=100)[-1]:.0f} lines"),
        ("longest body", f"{longest.lines} lines  {longest.name}, {longest.where}"),
        ("99 % of complexities", f"within {quantiles([f.complexity for f in found], n=100)[-1]:.0f}"),
        ("highest complexity", f"{hardest.complexity}  {hardest.name}, {hardest.where}"),
    ]
    return "\n".join(f"{name:<28}{value}" for name, value in rows)


if __name__ == "__main__":
    print(report())
