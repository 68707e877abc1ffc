"""The same bits on every runtime: one table of engines, a straight run and a resumed one on each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from fedmed.config.build import experiment_from
from fedmed.engine.flower_run import program
from fedmed.run import resume
from fedmed.run import run as run_experiment
from fedmed.rundir import checkpoint
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.tensors import unpack_state
from fedmed.terminal.progress import make_run_display
from tests.run.conftest import StopAfter
from tests.toys import same

pytestmark = pytest.mark.slow

TINY = ("clients=3", "rounds=3", "batch_size=16", "dataset.images=96", "dataset.test_images=24", "model.width=4")

ENGINES = {
    "ray": pytest.param(
        ("engine=ray", "engine.cpus=2"),
        marks=pytest.mark.skipif(find_spec("ray") is None, reason="not installed: pip install 'fedmed-sim[ray]'"),
        id="ray",
    ),
    "pool": pytest.param(("engine=pool", "engine.workers=2"), id="pool"),
    "threads": pytest.param(("engine=threads", "engine.workers=2"), id="threads"),
}
"""The overrides that choose an engine; inprocess is what each must equal. `fedmed deploy` has a test of its own."""

CONDITIONS = (
    "clients_per_round=2",
    "sampling=by_size",
    "failures=dropout",
    "failures.rate=0.2",
    "system=profile",
    "compression=topk",
    "compression.fraction=0.1",
)
"""All that may befall a federation at once."""

OWN = '''
from dataclasses import dataclass

from fedmed.method import Client, Method, Payload


@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """Pulls towards where the client last was."""

    def prepare(self, client: Client) -> None:
        client.state["rounds"] = client.state.get("rounds", 0) + 1

    def correct(self, client: Client) -> None:
        for name, weight, anchor in client.shared:
            weight.grad.add_(weight.detach() - client.state.get(f"last {name}", anchor), alpha=0.1)

    def report(self, client: Client) -> Payload:
        for name, weight, _ in client.shared:
            client.state[f"last {name}"] = weight.detach().clone()
        return {}
'''


Kept = tuple[Any, Any, list[dict[str, Any]]]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kept]:
    """kept(name, *overrides, stop=k): what a run leaves: weights, memory of the clients, rows without seconds."""
    monkeypatch.chdir(tmp_path)

    def start(name: str, *overrides: str, stop: int | None = None) -> Kept:
        config = experiment_from([*TINY, *overrides])
        if stop is None:
            run_experiment(config, tmp_path / name, show=make_run_display(quiet=True))
        else:
            with pytest.raises(KeyboardInterrupt):
                run_experiment(config, tmp_path / name, show=StopAfter(stop))
            resume(tmp_path / name, overrides=[], show=make_run_display(quiet=True))
        return left(tmp_path / name)

    return start


def left(directory: Path) -> Kept:
    saved = checkpoint.load(directory / "checkpoints")
    assert saved is not None
    rows = RunDirectory.open(directory).rows("rounds")
    timed = [{name: value for name, value in row.items() if not name.startswith("seconds")} for row in rows]
    return dict(saved.shared), dict(saved.clients), timed


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_run_with_a_method_of_the_users_own_has_the_bits_of_inprocess(
    engine: tuple[str, ...], kept: Callable[..., Kept], tmp_path: Path
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(OWN, encoding="utf-8")
    options = ("strategy=scaffold+mine", "clients_per_round=2", "engine=inprocess")
    one, other = kept("inprocess", *options), kept("other", *options[:-1], *engine)
    assert same(one[0], other[0])
    assert same(one[1], other[1])
    assert one[2] == other[2]


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_resumed_run_has_the_bits_of_a_straight_one(engine: tuple[str, ...], kept: Callable[..., Kept]) -> None:
    options = ("strategy=scaffold", *CONDITIONS)
    one, other = kept("inprocess", *options), kept("other", *options, *engine, stop=2)
    assert same(one[0], other[0])
    assert same(one[1], other[1])
    assert one[2] == other[2]


def test_a_deployed_run_that_is_interrupted_and_resumed_has_the_bits_of_a_straight_one(
    kept: Callable[..., Kept], tmp_path: Path
) -> None:
    """A SuperLink and two SuperNodes; Ctrl-C after the first round; no process is left."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(OWN, encoding="utf-8")
    options = ("strategy=scaffold+mine", "rounds=2", "eval_every=2")
    one = kept("inprocess", *options, "clients=2")
    command = [sys.executable, "-m", "fedmed", "deploy", "--local", "2"]
    given = [*(o for o in TINY if o != "clients=3"), *options, "hydra.run.dir=other"]
    with started([*command, *given], tmp_path) as first:
        while not (tmp_path / "other/checkpoints/checkpoint.json").exists():
            assert first.poll() is None, "it has ended before its first round"
            time.sleep(0.1)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
        assert first.returncode == 130
        assert err.decode().rstrip().endswith("Continue with: fedmed deploy --local 2 resume=other")
    assert left_running(tmp_path) == []
    with started([*command, "resume=other"], tmp_path) as second:
        second.communicate(timeout=200)
        assert second.returncode == 0
    assert left_running(tmp_path) == []
    other = left(tmp_path / "other")
    assert same(one[0], other[0])
    assert one[2] == other[2]
    files = {k: tmp_path / f"other/sites/{k}" for k in (0, 1)}
    memories = {k: next(folder.rglob("round_2.pt")) for k, folder in files.items()}
    assert same(one[1], {k: unpack_state(file.read_bytes(), file) for k, file in memories.items()})


PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "bars"
version = "1.0.0"

[tool.flwr.app]
publisher = "somebody"

[tool.flwr.app.components]
clientapp = "flower_project:client"
serverapp = "flower_project:server"
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="not installed: pip install 'fedmed-sim[ray]'")
def test_a_project_under_flwr_run_has_the_numbers_of_one_process(short: Path) -> None:
    """Flower pickles the app into Ray's actors; the SuperLink that `flwr run` leaves behind is ended here."""
    example = Path(__file__).resolve().parents[2] / "examples" / "flower_project.py"
    (short / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (short / "flower_project.py").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    plain = subprocess.run(
        [sys.executable, example], cwd=short, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    command = [program("flwr"), "run", ".", "--federation-config", "num-supernodes=4", "--stream"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    folders = {"PATH": path, "TMPDIR": str(short), "FLWR_HOME": str(short / "flower"), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=short,
            env=os.environ | folders,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            encoding="utf-8",
        )
    finally:
        for process in processes_of(short):
            with suppress(OSError):
                os.kill(process, signal.SIGTERM)
    rounds = [line for line in done.stdout.splitlines() if line.startswith("round ")]
    assert rounds == plain.stdout.splitlines(), done.stdout + done.stderr


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as Ray's sockets lie in it."""
    with TemporaryDirectory(prefix="f-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its own folder for temporary files, by which what it starts can be told from others."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def left_running(folder: Path) -> list[str]:
    """Command lines of the processes that `started` and its like have left running."""
    found = []
    for number in processes_of(folder):
        with suppress(OSError):
            found.append(Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8"))
    return found


def processes_of(folder: Path) -> list[int]:
    """The processes whose folder for temporary files is this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found
