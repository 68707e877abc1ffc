"""Runs that die at any operation on a file, or at any moment, go on to the same bits and the same files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="finds names of files in /proc")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["points", "--every", "37"],
        pytest.param(["points"], marks=pytest.mark.slow),
        pytest.param(["random", "--times", "50", "engine=inprocess"], marks=pytest.mark.slow),
        pytest.param(["random", "--times", "50", "engine=pool", "engine.workers=2"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_run_that_was_killed_goes_on_to_the_same_bits_and_files(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.kills", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, encoding="utf-8")
    assert ended.stdout, ended.stderr
    found = json.loads(ended.stdout)
    assert found["kills"] > 5
    assert (found["right"], found["wrong"]) == (found["kills"], {})
