"""docs/deployment.md, followed word for word: its commands run as they stand, on one machine instead of several."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from fedmed.deploy.guardian import stop
from fedmed.deploy.loopback import free_ports

PAGE = Path(__file__).resolve().parents[2] / "docs/deployment.md"
SITES = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("openssl") or not shutil.which("ssh-keygen"), reason="needs openssl and ssh"),
]


@pytest.fixture
def snippets(tmp_path: Path) -> list[tuple[str, str]]:
    """The commands and files of the page, with what differs on one machine in place of what the page calls it."""
    host, port = socket.gethostname(), free_ports(1)[0]
    page = PAGE.read_text(encoding="utf-8").split("## Real sites")[1].split("## What is where")[0]
    for name, here in {
        "fl.example.org": host,
        "9091": str(port),
        "/data/": f"{tmp_path}/",
        "/home/server/": f"{tmp_path}/",
        "/var/lib/fedmed": f"{tmp_path}/memory",
        "num-partitions=5": f"num-partitions={SITES}",
        "clients=5": f"clients={SITES}",
        "rounds=50": "rounds=2 model.width=4 hydra.run.dir=kept",
    }.items():
        assert name in page, "the page no longer says so: change this test with it"
        page = page.replace(name, here)
    return re.findall(r"```\w*\n(.*?)```|`(flwr supernode register .*?)`", page, flags=re.DOTALL)


def of_site(text: str, site: int) -> str:
    return text.replace("site3", f"site{site}").replace("partition-id=3", f"partition-id={site}")


@contextmanager
def started(command: str, folder: Path, env: dict[str, str], name: str) -> Iterator[None]:
    """A command of the page that does not end by itself, with a Flower home and a log of its own."""
    home = folder / "flower" / name
    home.mkdir(parents=True)
    with (home / "log").open("wb") as log:
        own = env | {"FLWR_HOME": str(home)}
        shell = ["bash", "-c", f"exec {command}"]
        process = subprocess.Popen(shell, cwd=folder, env=own, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        stop([process], folder / "flower")


def test_the_page_ends_in_a_trained_model(snippets: list[tuple[str, str]], tmp_path: Path) -> None:
    texts = [block or inline for block, inline in snippets]
    environment, certificates, superlink, connection, register, supernode, run = texts
    rng = np.random.default_rng(0)
    for site in range(SITES):
        images = rng.integers(0, 256, (60, 28, 28), np.uint8)
        np.savez(tmp_path / f"site{site}.npz", images=images, labels=np.arange(60) % 3)
    variables = dict(word.split("=") for word in environment.split()[1:])
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | variables | {"PATH": programs, "FLWR_HOME": str(tmp_path / "flower")}

    def bash(script: str) -> str:
        command = ["bash", "-ec", script]
        ended = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", check=False, timeout=400
        )
        logs = "".join(log.read_text(encoding="utf-8")[-1500:] for log in (tmp_path / "flower").glob("*/log"))
        assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}\n{logs}"
        return ended.stdout

    (tmp_path / "flower").mkdir()
    (tmp_path / "flower/config.toml").write_text(connection, encoding="utf-8")
    for site in range(SITES):
        bash(of_site(certificates, site) if site == 0 else of_site(certificates[certificates.index("ssh-") :], site))
    with ExitStack() as stack:
        stack.enter_context(started(superlink, tmp_path, env, "superlink"))
        for site in range(SITES):
            bash(f"for i in $(seq 30); do {of_site(register, site)} && exit 0; sleep 1; done; exit 1")
        for site, port in enumerate(free_ports(SITES)):
            node = f"{of_site(supernode, site).rstrip()} --port {port}"  # two of them are on one machine only here
            stack.enter_context(started(node, tmp_path, env, f"site{site}"))
        bash(run)
    final = json.loads((tmp_path / "kept/final.json").read_text(encoding="utf-8"))
    assert final["rounds"] == 2
    assert (tmp_path / "memory").is_dir()
