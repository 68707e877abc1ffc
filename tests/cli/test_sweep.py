from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmed.cli.main import main
from fedmed.errors import refuse
from tests.cli import hydra_toys

FINAL = {"test.auc": 0.75, "best.round": None, "client.worst.id": 1, "bytes.up": 10, "bytes.down": 10, "rounds": 1}
FINAL |= {"seconds": 2.0, "seconds.per_round": None}


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs leave their directories and train nothing; those of seed 7 are refused, as by their data."""

    def run(config: Any, directory: Path, *, show: Any) -> dict[str, Any]:
        if config.seed == 7:
            raise refuse("dataset.path", "a file that exists", "x.npz")
        lr = config.optimizer.lr
        final = {**FINAL, "val.auc": lr, "val.loss": 1 - lr, "val.dice": None, "seed": config.seed, "pid": os.getpid()}
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "final.json").write_text(json.dumps(final), encoding="utf-8")
        about = {"format": 1, "identity": "", "created": "", "rounds": 1, "status": "finished"}
        (directory / "run.json").write_text(json.dumps(about), encoding="utf-8")
        return {**final, "directory": str(directory)}

    hydra_toys.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fedmed.run.run", run)


def results(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_runs_that_a_launcher_makes_in_other_processes_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-m", "--json", "seed=11,2", "hydra/launcher=forking"]) == 0
    found = results(capsys)
    assert [each["seed"] for each in found] == [11, 2]
    assert len({os.getpid(), *(each["pid"] for each in found)}) == 3
    assert all(Path(each["directory"], "run.json").is_file() for each in found)


@pytest.mark.parametrize("launcher", ["basic", "forking"])
def test_a_sweep_into_a_folder_with_runs_shows_its_own(launcher: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "-m", "--json", "hydra.sweep.dir=all", "hydra.sweep.subdir=seed${seed}"]
    assert main([*words, "seed=0,1"]) == 0
    capsys.readouterr()
    assert main([*words, "seed=2,10", f"hydra/launcher={launcher}"]) == 0
    assert [each["directory"] for each in results(capsys)] == ["all/seed2", "all/seed10"]


def test_their_page_is_of_the_folder_of_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr("fedmed.api.report.write_report", lambda paths, to: SimpleNamespace(page=to / "report.html"))
    monkeypatch.setattr("fedmed.cli.report.show", shown.append)
    assert main(["run", "-m", "--open", "seed=0,1", "hydra.sweep.dir=all", "hydra/launcher=forking"]) == 0
    assert shown == [Path("all/report.html")]


def test_what_a_run_in_another_process_refuses_is_an_error_of_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-m", "seed=0,7", "hydra/launcher=forking"]) == 2
    assert "fedmed: error: dataset.path: expected a file that exists, got x.npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "returned"),
    [
        ([], ["maximize", 0.1, 0.5]),
        (["metric=loss"], ["minimize", 0.9, 0.5]),
        (["hydra/launcher=forking"], ["maximize", 0.1, 0.5]),
        (["hydra.sweeper.direction=maximize"], ["maximize", 0.1, 0.5]),
    ],
)
def test_a_search_gets_what_validation_says_and_which_way_is_better(
    options: list[str], returned: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--json", "-m", "hydra/sweeper=ends", "optimizer.lr=interval(0.1,0.5)", *options]) == 0
    assert returned == hydra_toys.RETURNED
    assert len(results(capsys)) == 2


def test_a_search_by_what_validation_does_not_define_gets_nan() -> None:
    assert main(["run", "-m", "hydra/sweeper=ends", "optimizer.lr=interval(0.1,0.5)", "metric=dice"]) == 0
    assert hydra_toys.RETURNED[1] != hydra_toys.RETURNED[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hydra/sweeper=ends", "hydra.sweeper.direction=minimize"], "direction: expected maximize, got minimize"),
        (["hydra/sweeper=ends", "optimizer.lr=interval(0.1,-1)"], "optimizer.lr: expected a number > 0"),
        (["optimizer.lr=interval(0.1,0.5)"], "hydra/sweeper=optuna"),
    ],
)
def test_searches_are_checked_before_the_first_run(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", "-m", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_hydra_mode_makes_a_sweep_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--json", "hydra.mode=MULTIRUN", "seed=3,4"]) == 0
    assert [each["seed"] for each in results(capsys)] == [3, 4]


def test_a_sweep_may_stand_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine/experiment").mkdir(parents=True)
    text = "# @package _global_\nrounds: 2\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 5,6\n"
    Path("mine/experiment/many.yaml").write_text(text, encoding="utf-8")
    assert main(["run", "--json", "--config-dir", "mine", "experiment=many"]) == 0
    assert [each["seed"] for each in results(capsys)] == [5, 6]
    assert main(["run", "--config-dir", "mine", "experiment=many", "seed=-1,0"]) == 2
    assert "seed: expected a whole number >= 0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_of_hydras_makers(launcher: str, tmp_path: Path) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.removesuffix('_local')}_launcher")
    small = ["dataset.images=40", "dataset.test_images=10", "dataset.side=8", "dataset.classes=3", "model.width=2"]
    words = ["run", "-m", "--json", *small, "clients=2", "rounds=1", "seed=0,1", f"hydra/launcher={launcher}"]
    done = subprocess.run(
        [sys.executable, "-m", "fedmed", *words], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
