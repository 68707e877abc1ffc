"""Runs a notebook from top to bottom without a kernel, and keeps what a run has left in it out of the repository.

    python -m tools.notebook examples/some.ipynb            runs its code cells, in a namespace of their own
    python -m tools.notebook --clean examples/some.ipynb    takes outputs and counts of cells out of it

The cells share one `__main__`, whose source can be found as a kernel makes it to be found; what stands on the last line
of a cell is shown as a notebook would show it, by `_repr_html_` where there is one. Magics are refused.
"""

from __future__ import annotations

import argparse
import ast
import json
import linecache
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any


class CellError(Exception):
    """A cell that raised, by its number from 1; the cause is what it raised."""


def main() -> int:
    """Runs or cleans notebooks; the exit status is 1 where one of them is not as it should be, or fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", action="store_true", help="take outputs and counts of cells out")
    parser.add_argument("notebooks", nargs="+", type=Path)
    given = parser.parse_args()
    if given.clean:
        for path in given.notebooks:
            path.write_text(written(cleaned(read(path))), encoding="utf-8")
        return 0
    wrong = [f"{path}: {fault}" for path in given.notebooks for fault in faults(path)]
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    for path in given.notebooks:
        execute(code_cells(read(path)), path.name)
    return 1 if wrong else 0


def read(path: Path) -> dict[str, Any]:
    """The content of a notebook."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def written(content: dict[str, Any]) -> str:
    """A notebook as text, as Jupyter writes it."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def code_cells(content: dict[str, Any]) -> list[str]:
    """The source of the code cells of a notebook, in order."""
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


def cleaned(content: dict[str, Any]) -> dict[str, Any]:
    """A notebook as if it had not been run, on no machine in particular."""
    cells = [{**cell, "metadata": {}} for cell in content["cells"]]
    cells = [{**c, "outputs": [], "execution_count": None} if c["cell_type"] == "code" else c for c in cells]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {**content, "cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}


def faults(path: Path) -> list[str]:
    """What a notebook of the repository should not have."""
    content = read(path)
    found = [] if content.get("nbformat") == 4 else ["expected format 4"]
    if path.read_text(encoding="utf-8") != written(cleaned(content)):
        found.append(f"expected no outputs, counts or metadata: python -m tools.notebook --clean {path}")
    lines = [line for cell in code_cells(content) for line in cell.splitlines()]
    return found + [f"expected Python alone, got {line!r}" for line in lines if line.startswith(("%", "!"))]


def execute(cells: Iterable[str], name: str = "notebook") -> ModuleType:
    """Runs cells one after another in a new `__main__`, and returns it; raises CellError."""
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    for number, source in enumerate(cells, 1):
        file = f"<{name}, cell {number}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            _run(source, file, module)
        except Exception as error:
            raise CellError(f"{name}, cell {number}: {type(error).__name__}: {error}") from error
    return module


def _run(source: str, file: str, module: ModuleType) -> None:
    tree = ast.parse(source, file)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, file, "exec", dont_inherit=True), vars(module))
    if isinstance(last, ast.Expr):
        show(eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), vars(module)))


def show(value: object) -> None:
    """Shows the value of a cell as a notebook does: made as HTML where it has such a form, printed as text."""
    if value is None:
        return
    if (make := getattr(type(value), "_repr_html_", None)) is not None and not isinstance(make(value), str):
        raise TypeError(f"{type(value).__name__}._repr_html_ gives no text")
    print(repr(value))


if __name__ == "__main__":
    sys.exit(main())
