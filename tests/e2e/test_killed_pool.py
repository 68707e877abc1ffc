"""Runs on worker processes that die: a worker killed, the run killed, Ctrl-C; and what is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_killed_runs import OPTIONS, RUN, done, fedmed
from tests.fresh import Command, interpreter
from tests.run.traces import leftovers, trace

LOSS = '''\
"""Cross-entropy, slowly where it is asked to be, so that there is time to kill a process."""

import os
import time

import torch.nn.functional as F


def slow(logits, y):
    time.sleep(float(os.environ.get("SECONDS", "0")))
    return F.cross_entropy(logits, y, reduction="none")
'''

ALL = (*RUN, *(option for option in OPTIONS if not option.startswith("loss")), "loss=slow.py:slow")
POOL = (*ALL, "engine=pool", "engine.workers=2", "hydra.run.dir=kept")

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes in /proc")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run in one process leaves."""
    folder = tmp_path_factory.mktemp("straight")
    (folder / "slow.py").write_text(LOSS, encoding="utf-8")
    code, _, err = fedmed(folder, *ALL, "hydra.run.dir=kept")
    assert code == 0, err
    return trace(folder / "kept")


def start(folder: Path) -> Command:
    """A slow run on two workers, in a process group of its own, with its first round done."""
    (folder / "slow.py").write_text(LOSS, encoding="utf-8")
    run = Command(folder, *POOL, env={"SECONDS": "0.05"})
    wait(lambda: done(folder / "kept") > 0 or run.poll() is not None)
    return run


def start_alone(folder: Path) -> subprocess.Popen[str]:
    """The same in an interpreter of its own."""
    (folder / "slow.py").write_text(LOSS, encoding="utf-8")
    run = interpreter(folder, *POOL, env={"SECONDS": "0.05"})
    wait(lambda: done(folder / "kept") > 0 or run.poll() is not None)
    return run


def wait(until: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def workers(run: Command | subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="utf-8").split()]


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")


def test_a_worker_killed_within_a_round_is_replaced_and_changes_no_bit(
    tmp_path: Path, straight: dict[str, Any]
) -> None:
    run = start(tmp_path)
    os.kill(workers(run)[0], signal.SIGKILL)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert "its worker process was killed by SIGKILL; another one takes over" in err
    assert trace(tmp_path / "kept") == straight


def test_a_killed_run_takes_its_workers_along_and_goes_on_to_the_same_bits(
    tmp_path: Path, straight: dict[str, Any]
) -> None:
    run = start(tmp_path)
    children = workers(run)
    assert len(children) == 2
    run.kill()
    run.communicate()
    wait(lambda: not any(map(alive, children)), seconds=5)
    assert 0 < done(tmp_path / "kept") < 4
    code, _, err = fedmed(tmp_path, "run", "resume=kept", "--trust", "slow.py")
    assert code == 0, err
    assert trace(tmp_path / "kept") == straight


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_the_workers_too(
    tmp_path: Path, straight: dict[str, Any], sign: signal.Signals
) -> None:
    run = start_alone(tmp_path)
    children = workers(run)
    os.killpg(run.pid, sign)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 130, err
    assert err.rstrip().endswith("Interrupted. Continue with: fedmed run resume=kept --trust slow.py")
    assert "Traceback" not in err
    assert not any(map(alive, children))
    assert not leftovers(tmp_path)
    assert json.loads((tmp_path / "kept/run.json").read_bytes())["status"] == "stopped"
    code, _, err = fedmed(tmp_path, "run", "resume=kept", "--trust", "slow.py")
    assert code == 0, err
    assert trace(tmp_path / "kept") == straight
