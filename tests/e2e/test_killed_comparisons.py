"""Comparisons that are killed or interrupted, in a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fresh import interpreter
from tests.run.traces import leftovers, trace

ROOT = Path(__file__).resolve().parents[2]

COMPARE = (
    *("compare", "clients=3", "rounds=30", "batch_size=16", "dataset.images=160", "dataset.test_images=40"),
    *("model.width=4", "strategy=fedavg,scaffold", "seed=0", "--no-references", "--workers=2", "--quiet"),
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return interpreter(folder, *COMPARE, *arguments, env={"OMP_NUM_THREADS": "1"})


def rounds(folder: Path) -> dict[str, int]:
    return {
        path.parent.name: path.read_text(encoding="utf-8").count("\n")
        for path in folder.glob("runs/compare/*/rounds.jsonl")
    }


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def family(pid: int) -> list[int]:
    """All processes that descend from one."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    return [*children, *(each for child in children for each in family(child))]


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Those that hold a run's log open."""
    return [pid for pid in family(process.pid) if any(log.endswith(".log") for log in opened(pid))]


def opened(pid: int) -> list[str]:
    return [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the runs leave when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("straight")
    out, err = start(folder).communicate()
    assert "wrote runs/comparisons/fedavg-scaffold_" in out, err
    return traces(folder)


def traces(folder: Path) -> dict[str, object]:
    return {path.name: trace(path) for path in folder.glob("runs/compare/*") if path.is_dir()}


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_same_command_goes_on_after_a_kill(sign: int, tmp_path: Path, straight: dict[str, object]) -> None:
    process = start(tmp_path)
    until(lambda: len(rounds(tmp_path)) == 2 and min(rounds(tmp_path).values()) > 2)
    children = family(process.pid)
    assert len(workers(process)) == 2
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)  # as a terminal does, to workers too
    else:
        process.send_signal(sign)
    _, err = process.communicate()
    assert process.returncode == (-sign if sign == signal.SIGKILL else 130)
    assert ("The same command goes on where it stopped." in err) == (sign != signal.SIGKILL)
    assert "Traceback" not in err
    until(lambda: all(map(is_gone, children)), seconds=5)
    assert max(rounds(tmp_path).values()) < 30, "too fast for this test"
    out, err = start(tmp_path).communicate()
    assert "wrote runs/comparisons/fedavg-scaffold_" in out, err
    assert traces(tmp_path) == straight
    assert not leftovers(tmp_path)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, straight: dict[str, object]) -> None:
    process = start(tmp_path)
    until(lambda: len(rounds(tmp_path)) == 2 and min(rounds(tmp_path).values()) > 2)
    os.kill(workers(process)[0], signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert "its worker process was killed by SIGKILL; another one goes on with it" in err
    assert traces(tmp_path) == straight
