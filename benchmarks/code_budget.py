"""The size and the shape of the code, as a report: `python -m benchmarks.code_budget [ROOT] [--timings]`.

ROOT is any checkout of fedmed, this one by default, so that one script measures before and after.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from tools.imports import graph, modules

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("fedmed", "strategies", "datasets")
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case)
REPEATS = 5
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


def files(*folders: str, root: Path = ROOT) -> list[Path]:
    """Python files of the folders of a checkout, in order."""
    return [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]


def lines(path: Path) -> int:
    """Lines of a file, blank ones included."""
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path, root: Path = ROOT) -> list[Measured]:
    """Every function and method of a file, measured."""
    where = path.relative_to(root)
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


def repeated_classes(root: Path = ROOT) -> dict[str, list[str]]:
    """Public class names that stand at the top level of more than one module, with these modules."""
    found: dict[str, list[str]] = {}
    for module, path in modules(root).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    return {name: where for name, where in sorted(found.items()) if len(where) > 1}


def one_importer(root: Path = ROOT) -> list[str]:
    """Modules that exactly one module imports, which lies in the same package."""
    importers: dict[str, list[str]] = {}
    for module, targets in graph(root).items():
        for target in targets:
            importers.setdefault(target, []).append(module)
    alone = {target: users[0] for target, users in importers.items() if len(users) == 1}
    return sorted(name for name, user in alone.items() if name.rpartition(".")[0] == user.rpartition(".")[0])


def engine_builds(tree: ast.Module) -> int:
    """Places that make an engine of what a configuration says of it: calls such as `build(config.engine)`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "build"]
    return sum(any(re.search(r"\bengine\b", ast.unparse(given)) for given in call.args) for call in calls)


def shape(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """How the parts of the code depend on each other and on types that say nothing: a row per figure."""
    texts = [path.read_text(encoding="utf-8") for path in files(*SOURCE, root=root)]
    trees = [ast.parse(text) for text in texts]
    names = Counter(node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))
    repeated = repeated_classes(root)
    yield "public class names that stand twice", f"{len(repeated)}  {', '.join(repeated)}"
    yield "modules with one importer, beside it", f"{len(one_importer(root))}"
    yield "uses of Any", f"{names['Any']}"
    yield "type: ignore, pyright: ignore", f"{_count('type: ignore', texts)}, {_count('pyright: ignore', texts)}"
    yield "places that build an engine", f"{sum(map(engine_builds, trees))}"
    yield "files with DictConfig or OmegaConf", f"{sum('DictConfig' in text or 'OmegaConf' in text for text in texts)}"


def _count(comment: str, texts: Iterable[str]) -> int:
    return sum(text.count(f"# {comment}") for text in texts)


def sizes(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """How large and how complex files and functions are: a row per figure."""
    sources, tests = files(*SOURCE, root=root), files("tests", root=root)
    found = [f for path in sources for f in functions(path, root)]
    of_files = {lines(path): path.relative_to(root) for path in sources}
    lengths, test_lines = [lines(path) for path in sources], sum(map(lines, tests))
    longest, hardest = max(found, key=lambda f: f.lines), max(found, key=lambda f: f.complexity)
    yield "source files", f"{len(sources)}"
    yield "source lines", f"{sum(lengths)}"
    yield "test lines per source line", f"{test_lines / sum(lengths):.2f}  ({len(tests)} files, {test_lines} lines)"
    yield "lines of a file", f"median {median(lengths):.0f}, 90 % within {_within(lengths, 90)}"
    yield "longest file", f"{max(lengths)} lines  {of_files[max(lengths)]}"
    yield "functions", f"{len(found)}"
    yield "lines of a body", _spread([f.lines for f in found])
    yield "longest body", f"{longest.lines} lines  {longest.name}, {longest.where}"
    yield "complexity of a function", _spread([f.complexity for f in found])
    yield "highest complexity", f"{hardest.complexity}  {hardest.name}, {hardest.where}"


def _within(values: list[int], percent: int) -> str:
    return f"{quantiles(values, n=100)[percent - 1]:.0f}"


def _spread(values: list[int]) -> str:
    return f"median {median(values):.0f}, 99 % within {_within(values, 99)}"


def timings(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Seconds that a user waits, each the median of several new processes: a row per command."""
    timed = "import time; began = time.perf_counter(); import fedmed; print(time.perf_counter() - began)"
    imports = [float(_run(root, "-c", timed)[1]) for _ in range(REPEATS)]
    yield "import fedmed", f"{median(imports):.3f} s"
    for words in (("--help",), ("run", "experiment=smoke")):
        seconds = [_run(root, "-m", "fedmed", *words)[0] for _ in range(REPEATS)]
        yield f"fedmed {' '.join(words)}", f"{median(seconds):.2f} s"


def _run(root: Path, *arguments: str) -> tuple[float, str]:
    """Seconds and output of this Python with the code of a checkout, in a folder of its own."""
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
        )
        return time.perf_counter() - began, done.stdout


def report(root: Path = ROOT) -> str:
    """The budget of a checkout as text: one row per figure, beside the largest of each kind."""
    return _table([*sizes(root), *shape(root)])


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name:<38}{value}" for name, value in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.code_budget", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="a checkout (default: this one)")
    parser.add_argument("--timings", action="store_true", help="also time importing and running it")
    given = parser.parse_args()
    print(report(given.root.resolve()))
    if given.timings:
        print(_table(timings(given.root.resolve())))
