"""Engines in files of the user's: of either contract, with what each has to say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.engine.base import Engine, LaunchingEngine
from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.local import InProcessGrid
from fedmed.errors import UserError
from fedmed.run import run as run_experiment
from fedmed.rundir import checkpoint
from fedmed.strategies.fedavg import FedAvg
from fedmed.terminal.progress import make_run_display
from tests.toys import TOYS, same, trainer_of

TINY = ("clients=2", "rounds=1", "batch_size=16", "dataset.images=64", "dataset.test_images=16", "model.width=4")

HEAD = """\
from dataclasses import dataclass
from pathlib import Path

from fedmed.engine.base import Engine, LaunchingEngine
from fedmed.engine.local import InProcessGrid
from fedmed.flower import app_of


@dataclass(frozen=True, kw_only=True)
class Mine({base}):
    \"\"\"An engine of the user's own.\"\"\"

"""
GRID = """\
    def grid(self, trainer, clients):
        Path("asked").touch()
        return InProcessGrid(app_of(trainer), clients)
"""
OPEN = """\
    def open(self, trainer, clients, app):
        Path("asked").touch()
        return InProcessGrid(app_of(trainer), clients)
"""
LAUNCH = """\
    def launch(self, write_app, directory):
        Path("app").mkdir()
        write_app(Path("app"))
        return self

    def follow(self):
        Path("followed").touch()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "engines").mkdir()
    return tmp_path


def write(home: Path, base: str, body: str) -> None:
    (home / "engines/mine.py").write_text(HEAD.format(base=base) + body, encoding="utf-8")


def weights(directory: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.load(directory / "checkpoints")
    assert saved is not None
    return dict(saved.shared)


@pytest.mark.parametrize("body", [GRID, OPEN], ids=["grid", "open"])
def test_a_run_asks_its_clients_on_what_an_own_engine_lends(home: Path, body: str) -> None:
    write(home, "Engine", body)
    for engine in ("mine", "inprocess"):
        run_experiment(experiment_from([*TINY, f"engine={engine}"]), home / engine, show=make_run_display(quiet=True))
    assert (home / "asked").exists()
    assert same(weights(home / "mine"), weights(home / "inprocess"))


def test_an_own_engine_can_launch_a_run_elsewhere(home: Path) -> None:
    write(home, "LaunchingEngine", LAUNCH)
    experiment = experiment_from([*TINY, "engine=mine"])
    assert isinstance(experiment.engine, LaunchingEngine)
    with pytest.raises(UserError, match=r"engine: expected a result .* got none"):
        run_experiment(experiment, home / "run", show=make_run_display(quiet=True))
    assert (home / "app/config.yaml").is_file()
    assert (home / "followed").exists()
    assert not (home / "run").exists()


@pytest.mark.parametrize("engine", [Engine(), InprocessEngine()])
def test_clients_run_in_this_process_unless_an_engine_says_otherwise(engine: Engine) -> None:
    grid = engine.grid(trainer_of(TOYS["multiclass"], FedAvg()), 3)
    assert isinstance(grid, InProcessGrid)
    assert list(grid.get_node_ids()) == [1, 2, 3]
