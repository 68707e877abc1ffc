"""The examples run as their README says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def test_the_flower_project_learns_with_methods_of_fedmed(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", EXAMPLES / "flower_project.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    accuracies = [float(found) for found in re.findall(r"accuracy (\S+)", done.stdout)]
    assert len(accuracies) == 8
    assert accuracies[-1] > 0.9
    assert list(tmp_path.iterdir()) == []


def test_parts_of_ones_own_run_by_the_command_in_the_readme(fedmed: Any) -> None:
    text = (
        (EXAMPLES / "README.md").read_text(encoding="utf-8").replace("\\\n", " ").replace("examples/", f"{EXAMPLES}/")
    )
    command = next(line for line in text.splitlines() if line.strip().startswith("fedmed run"))
    code, out, err = fedmed(*shlex.split(command)[1:], "--json")
    assert code == 0, err
    final = json.loads(out)
    assert final["test.auc"] > 0.8
    assert final["test.accuracy"] < final["test.top_two"] <= 1
    assert "_fedpower_rings_" in final["directory"]
