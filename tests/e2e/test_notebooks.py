"""Notebooks in examples/ run from top to bottom, in an empty folder: without a kernel, and in one (`make notebook`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.notebook import faults

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_nothing_of_a_run_is_kept_in_it(notebook: Path) -> None:
    assert faults(notebook) == []


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_it_runs_without_a_kernel(notebook: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.notebook", str(notebook)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_it_runs_in_jupyter(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel, which has threads and no file for what cells define; `make notebook` installs what it takes."""
    nbclient = pytest.importorskip("nbclient", reason="not installed: make notebook")
    nbformat = pytest.importorskip("nbformat", reason="not installed: make notebook")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    content = nbformat.read(notebook, as_version=4)
    folder = tmp_path / "empty"
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(content, timeout=600, kernel_name="python3", resources=resources).execute()
    assert all(cell.execution_count for cell in content.cells if cell.cell_type == "code")
