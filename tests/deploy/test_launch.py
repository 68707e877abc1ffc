import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.build import config_of, experiment_from, to_yaml
from fedmed.deploy.launch import launch
from fedmed.engine import flower_run
from fedmed.engine.base import LaunchingEngine
from fedmed.errors import UserError
from fedmed.experiment import Experiment
from fedmed.run import run as run_experiment
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.progress import make_run_display


def engine_of(experiment: Experiment) -> LaunchingEngine:
    assert isinstance(experiment.engine, LaunchingEngine)
    return experiment.engine


CONFIG = experiment_from(
    ["engine=superlink", "engine.connection=hospitals", "rounds=1", "clients=2", "dataset.images=96"]
)
ENGINE = engine_of(CONFIG)
YAML = to_yaml(config_of(CONFIG))


FLWR = """
import json, shutil, sys, time
from pathlib import Path

here, (command, *words) = Path(__file__).parent, sys.argv[1:]
with (here / "asked").open("a") as file:
    file.write(" ".join([command, *words]) + "\\n")
states = here / "states"
if command == "run" and (here / "refusal").exists():
    print(json.dumps({"success": False, "error-message": (here / "refusal").read_text()}))
elif command == "run":
    shutil.copytree(words[0], here / "bundle")
    shutil.copytree(here / "result", "run", dirs_exist_ok=True)
    print(json.dumps({"success": True, "run-id": "7"}))
elif command == "list":
    first, *rest = states.read_text().splitlines()
    if rest:
        states.write_text("\\n".join(rest))
    runs = [{"run-id": "7", "status": first.split()[0]}, {"run-id": "3", "status": first.split()[-1]}]
    print(json.dumps({"success": True, "runs": runs}))
elif command == "log":
    while not states.read_text().startswith("finished"):
        time.sleep(0.02)
    print("the log", flush=True)
else:
    print(json.dumps({"success": True}))
"""


@dataclass(frozen=True)
class Flower:
    """Stands for the program `flwr`: notes what it was asked, and answers as it would."""

    folder: Path

    @property
    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def states(self, *lines: str) -> None:
        """What each look at the SuperLink shows: of this run and, behind it, of another one."""
        (self.folder / "states").write_text("\n".join(lines), encoding="utf-8")

    def leaves(self, final: dict[str, Any]) -> None:
        """What the run leaves on the SuperLink's machine."""
        kept = RunDirectory.create(self.folder / "result", config_yaml=YAML, identity="x" * 32, environment={})
        kept.finish(final)


@pytest.fixture
def flower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flower:
    folder = tmp_path / "flower"
    (folder / "result").mkdir(parents=True)
    (folder / "flwr.py").write_text(FLWR, encoding="utf-8")
    (folder / "flwr").write_text(f'#!/bin/sh\nexec {sys.executable} {folder}/flwr.py "$@"\n', encoding="utf-8")
    (folder / "flwr").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flower_run, "program", lambda name: str(folder / name))
    monkeypatch.setattr(flower_run, "LOOK", 0.05)
    found = Flower(folder)
    found.states("finished:completed")
    return found


def test_the_result_is_what_the_superlink_leaves_in_the_directory(
    flower: Flower, capfd: pytest.CaptureFixture[str]
) -> None:
    flower.leaves({"test.loss": 1.0})
    assert launch(ENGINE, YAML, Path("run"), resume=False) == {"test.loss": 1.0}
    run, *others = flower.asked
    assert run.split()[::2] == ["run", "hospitals", "json"]
    assert "log 7 hospitals --stream" in others
    assert (flower.folder / "bundle/config.yaml").read_text(encoding="utf-8") == YAML
    assert (flower.folder / "bundle/pyproject.toml").is_file()
    assert "the log" in capfd.readouterr().err


def test_a_superlink_that_never_begins_with_a_run_is_told_of_and_the_run_withdrawn(
    flower: Flower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flower_run, "BEGINS_WITHIN", 0.1)
    flower.states("pending running", *["pending finished:failed"] * 50)
    with pytest.raises(UserError, match=r"SuperLink hospitals: expected one that begins .*localhost and 127\.0\.0\.1"):
        launch(ENGINE, YAML, Path("run"), resume=False)
    assert flower.asked[-1] == "stop 7 hospitals --format json"


def test_a_superlink_that_is_busy_with_another_run_is_waited_for(
    flower: Flower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flower_run, "BEGINS_WITHIN", 0.1)
    flower.leaves({"test.loss": 1.0})
    flower.states(*["pending running"] * 8, "starting", "finished:completed")
    assert launch(ENGINE, YAML, Path("run"), resume=False) == {"test.loss": 1.0}


def test_what_flower_says_of_a_submission_that_fails_is_passed_on(flower: Flower) -> None:
    (flower.folder / "refusal").write_text("SuperLink connection 'hospitals' not found", encoding="utf-8")
    with pytest.raises(UserError, match="one that takes the run, got SuperLink connection 'hospitals' not found"):
        launch(ENGINE, YAML, Path("run"), resume=False)


def test_leaving_a_run_that_goes_on_says_how_to_end_it(flower: Flower, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: flower_run.FlowerRun) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(flower_run.FlowerRun, "_show_log", interrupted)
    with pytest.raises(KeyboardInterrupt, match="goes on at the SuperLink; this ends it: flwr stop 7 hospitals"):
        launch(ENGINE, YAML, Path("run"), resume=False)


def test_a_run_is_checked_before_it_is_submitted(flower: Flower) -> None:
    config = experiment_from(["engine=superlink", "engine.connection=hospitals", "rounds=1", "strategy.local=[nope]"])
    with pytest.raises(UserError, match=r"strategy\.fedavg\.local"):
        run_experiment(config, Path("run"), show=make_run_display(quiet=True))
    assert not flower.asked


def test_a_superlink_that_leaves_nothing_is_told_of(flower: Flower) -> None:
    with pytest.raises(UserError, match="engine: expected a result of the SuperLink's in run, got none"):
        launch(ENGINE, YAML, Path("run"), resume=False)


@pytest.mark.parametrize(
    ("connection", "words"),
    [("", "engine.connection: expected the name"), (flower_run.LOOPBACK, "fedmed deploy --local N")],
)
def test_without_a_superlink_nothing_is_submitted(flower: Flower, connection: str, words: str) -> None:
    config = experiment_from(["engine=superlink", f"engine.connection={connection}"])
    with pytest.raises(UserError, match=words):
        launch(engine_of(config), YAML, Path("run"), resume=True)
    assert not flower.asked
