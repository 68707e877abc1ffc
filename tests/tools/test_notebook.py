"""Notebooks without a kernel: cells share a namespace, errors name their cell, and nothing of a run is kept."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.notebook import CellError, cleaned, code_cells, execute, faults, main, read, written


@pytest.fixture(autouse=True)
def _main(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def notebook(path: Path, *sources: str, **of_cells: Any) -> Path:
    """A notebook of one text and some code cells."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": ["# A title"]}]
    for source in sources:
        lines = source.splitlines(keepends=True)
        empty = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}
        cells.append(empty | of_cells)
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_cells_share_a_main_and_the_last_line_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    module = execute(["x = 2\nclass Of:\n    pass", "y = x + 1\ny", "y;None", "print(Of.__module__)"])
    assert (module.x, module.y) == (2, 3)
    assert capsys.readouterr().out == "3\n__main__\n"


def test_what_a_cell_defines_has_its_source() -> None:
    module = execute(["def twice(x):\n    return 2 * x"])
    assert inspect.getsource(module.twice) == "def twice(x):\n    return 2 * x"


def test_a_value_is_made_as_html_where_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    table = "class Table:\n    def _repr_html_(self):\n        {}\n    def __repr__(self):\n        return 'a table'\n"
    execute([table.format("return '<table></table>'"), "Table()"])
    assert capsys.readouterr().out == "a table\n"
    with pytest.raises(CellError, match=r"cell 2: TypeError: Table\._repr_html_ gives no text"):
        execute([table.format("return None"), "Table()"])


def test_an_error_names_its_cell_and_its_cause(tmp_path: Path) -> None:
    with pytest.raises(CellError, match=r"some\.ipynb, cell 2: ZeroDivisionError") as caught:
        execute(code_cells(read(notebook(tmp_path / "some.ipynb", "x = 0", "1 / x"))), "some.ipynb")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_a_run_left_is_told_and_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["3"]}
    path = notebook(tmp_path / "some.ipynb", "print(3)", execution_count=7, outputs=[output])
    assert ["--clean" in fault for fault in faults(path)] == [True]
    monkeypatch.setattr(sys, "argv", ["notebook", "--clean", str(path)])
    assert main() == 0
    assert faults(path) == []
    assert code_cells(read(path)) == ["print(3)"]


def test_magics_are_told(tmp_path: Path) -> None:
    path = notebook(tmp_path / "some.ipynb", "%matplotlib inline\n!pip list\nx = 5 % 3")
    path.write_text(written(cleaned(read(path))), encoding="utf-8")
    assert faults(path) == ["expected Python alone, got '%matplotlib inline'", "expected Python alone, got '!pip list'"]
