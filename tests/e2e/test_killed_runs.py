"""Runs that die: killed in the middle of a round, or interrupted with Ctrl-C, in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import fresh
from tests.run.traces import leftovers, trace

ROOT = Path(__file__).resolve().parents[2]

LOSS = '''\
"""Cross-entropy that ends its own process at one of its calls."""

import os
import signal

import torch.nn.functional as F

calls = 0


def deadly(logits, y):
    global calls
    calls += 1
    if calls == int(os.environ.get("DIE_AT", "0")):
        os.kill(os.getpid(), int(os.environ["DIE_OF"]))
    return F.cross_entropy(logits, y, reduction="none")
'''

RUN = ("run", "dataset.images=160", "dataset.test_images=40", "clients=3", "model.width=4", "batch_size=16")
OPTIONS = ("rounds=4", "strategy=scaffold", "model.dropout=0.3", "clients_per_round=2", "loss=deadly.py:deadly")


def fedmed(folder: Path, *arguments: str, die_at: int = 0, of: int = signal.SIGKILL) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command; in an interpreter of its own where it is to die."""
    (folder / "deadly.py").write_text(LOSS, encoding="utf-8")
    if not die_at:
        return fresh.run(folder, *arguments)
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    env = os.environ | {"PYTHONPATH": python_path, "DIE_AT": str(die_at), "DIE_OF": str(int(of))}
    command = [sys.executable, "-P", "-m", "fedmed", *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False, encoding="utf-8"
    )
    return ended.returncode, ended.stdout, ended.stderr


def done(run: Path) -> int:
    """How many rounds a run has kept."""
    rows = run / "rounds.jsonl"
    return len(rows.read_text(encoding="utf-8").splitlines()) if rows.exists() else 0


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run leaves that nothing interrupts."""
    folder = tmp_path_factory.mktemp("straight")
    code, _, err = fedmed(folder, *RUN, *OPTIONS, "hydra.run.dir=kept")
    assert code == 0, err
    return trace(folder / "kept")


@pytest.mark.parametrize(
    ("call", "rounds"),
    [pytest.param(4, 0, id="before the first checkpoint", marks=pytest.mark.slow), pytest.param(30, 2, id="later")],
)
def test_a_run_killed_within_a_round_goes_on_to_the_same_bits(
    tmp_path: Path, straight: dict[str, Any], call: int, rounds: int
) -> None:
    code, out, _ = fedmed(tmp_path, *RUN, *OPTIONS, "hydra.run.dir=kept", die_at=call)
    assert (code, out) == (-signal.SIGKILL, "")
    assert json.loads((tmp_path / "kept/run.json").read_text(encoding="utf-8"))["status"] == "running"
    assert done(tmp_path / "kept") == rounds
    code, out, err = fedmed(tmp_path, "run", "resume=kept", "--trust", "deadly.py", "--json")
    assert code == 0, err
    assert json.loads(out)["rounds"] == 4
    assert trace(tmp_path / "kept") == straight
    assert not leftovers(tmp_path / "kept")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_how_to_go_on_and_leaves_whole_files(
    tmp_path: Path, straight: dict[str, Any], sign: int
) -> None:
    code, out, err = fedmed(tmp_path, *RUN, *OPTIONS, "hydra.run.dir=kept", die_at=17, of=sign)
    assert (code, out) == (130, "")
    assert json.loads((tmp_path / "kept/run.json").read_text(encoding="utf-8"))["status"] == "stopped"
    assert done(tmp_path / "kept") == 1
    assert err.rstrip().endswith("Interrupted. Continue with: fedmed run resume=kept --trust deadly.py")
    assert "Traceback" not in err
    assert not leftovers(tmp_path)
    code, _, err = fedmed(tmp_path, "run", "resume=kept", "--trust", "deadly.py")
    assert code == 0, err
    assert trace(tmp_path / "kept") == straight
