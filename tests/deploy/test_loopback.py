import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fedmed.deploy import guardian, loopback
from fedmed.deploy.guardian import processes_of, stop
from fedmed.deploy.loopback import HOST, Loopback, free_ports

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see what processes have started")

TREE = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
grand = subprocess.Popen([sys.executable, "-c", child], start_new_session=True, stdout=subprocess.PIPE)
grand.stdout.readline()
print(grand.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def fake_flower(tmp_path: Path) -> Path:
    """A program that says what it was asked and waits; as a SuperLink it listens, too."""
    fake = tmp_path / "flower"
    listen = f"import socket, sys, time; s = socket.create_server(('{HOST}', int(sys.argv[1]))); time.sleep(60)"
    superlink = f'[ $2 = --host ] && exec {sys.executable} -c "{listen}" $5'
    fake.write_text(f'#!/bin/sh\necho "$@" $FLWR_TELEMETRY_ENABLED\n{superlink}\nsleep 60\n', encoding="utf-8")
    fake.chmod(0o755)
    return fake


def test_stop_ends_a_process_and_what_it_has_started_however_stubborn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardian, "STOPS_WITHIN", 0.5)
    monkeypatch.setenv("FLWR_HOME", f"{tmp_path}/node0")
    process = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    assert processes_of(tmp_path) == {process.pid, grandchild}
    stop([process], tmp_path)
    assert process.returncode == -signal.SIGTERM
    assert processes_of(tmp_path) == set()
    process.stdout.close()


def test_ports_are_free_and_differ() -> None:
    assert len(set(free_ports(3))) == 3


def test_a_superlink_that_does_not_start_is_told_of_with_its_log_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "flower"
    fake.write_text("#!/bin/sh\necho address in use\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(loopback, "program", lambda name: str(fake))
    before = dict(os.environ)
    with pytest.raises(RuntimeError, match="address in use"), Loopback(2, tmp_path):
        pass
    assert dict(os.environ) == before


def test_nodes_are_told_who_they_are_and_the_environment_is_flowers_inside_the_block_only(
    tmp_path: Path, fake_flower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback, "program", lambda name: str(fake_flower))
    before = dict(os.environ)
    with Loopback(2, tmp_path / "sites", [tmp_path / "a.npz", tmp_path / "b.npz"]):
        home = Path(os.environ["FLWR_HOME"])
        while not (log := (home / "supernode1" / "log").read_text(encoding="utf-8")):
            time.sleep(0.01)
        assert f'partition-id=1 num-partitions=2 site-directory="{tmp_path}/sites/1"' in log
        assert f'dataset-path="{tmp_path}/b.npz"' in log
        assert log.endswith(" 0\n")
        assert '[superlink]\ndefault = "fedmed-loopback"' in (home / "config.toml").read_text(encoding="utf-8")
    assert not home.exists()
    assert dict(os.environ) == before


HELD = """
import os, sys, time
from pathlib import Path
from fedmed.deploy import loopback
loopback.program = lambda name: sys.argv[1]
with loopback.Loopback(2, Path("sites")):
    print(os.environ["FLWR_HOME"], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_a_deployment_that_is_killed_leaves_no_process_and_no_folder(
    tmp_path: Path, fake_flower: Path, group: bool
) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HELD, str(fake_flower)], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    )
    assert held.stdout is not None
    home = Path(held.stdout.readline().decode().strip())
    assert len(processes_of(home)) >= 3
    (os.killpg if group else os.kill)(held.pid, signal.SIGKILL)
    held.communicate()
    deadline = time.monotonic() + 20
    while home.exists() or processes_of(home):
        assert time.monotonic() < deadline, f"left: {processes_of(home)}"
        time.sleep(0.05)
