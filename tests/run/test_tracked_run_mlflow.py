"""Runs told to the real MLflow: a database of one's own, and a server on this machine that may go away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.build import experiment_from
from fedmed.run import resume
from fedmed.run import run as run_experiment
from fedmed.terminal.progress import RunDisplay, make_run_display
from fedmed.tracking import gathered
from tests.run.conftest import IMAGES, SMALL
from tests.run.traces import trace

pytestmark = pytest.mark.slow
mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed (make tracking)")


class Server:
    """MLflow's own server, with its database and files in a folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        stores = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/files"]
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *stores]
        self.log = (folder / "server.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(command, stdout=self.log, stderr=self.log, start_new_session=True)
        self._await()

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _await(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                assert self._process.poll() is None, Path(self.log.name).read_text(encoding="utf-8")
                time.sleep(0.1)
        raise TimeoutError(Path(self.log.name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, as making its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/mlruns.db"


@pytest.fixture(params=["database", "server"])
def uri(request: pytest.FixtureRequest) -> str:
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, str) else str(found.uri)


def tracked_run(uri: str, name: str) -> Any:
    """The run of MLflow's that has the name of a directory."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    (found,) = client.search_runs(experiments, f"attributes.run_name = '{name}'")
    return found


def history(uri: str, name: str, metric: str) -> list[tuple[int, float]]:
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_metric_history(tracked_run(uri, name).info.run_id, metric)
    return sorted((each.step, each.value) for each in found)


def test_a_run_is_there_with_all_that_is_told_of_it(run: Any, rounds: Any, uri: str, tmp_path: Path) -> None:
    name = f"whole {uri.partition(':')[0]}"
    final = run(name, "strategy=fedprox", "tracking=mlflow", f"tracking.uri={uri}")
    found = tracked_run(uri, name)
    assert found.info.status == "FINISHED"
    assert found.data.params["strategy"] == "fedprox"
    assert found.data.params["strategy.fedprox.mu"] == "0.01"
    assert found.data.tags["seed"] == "0"
    assert len(found.data.tags["identity"]) == 32
    assert history(uri, name, "test.auc") == [(row["round"], row["test.auc"]) for row in rounds(name)]
    assert found.data.metrics["final.best.val.auc"] == final["best.val.auc"]
    for file in ("config.yaml", "final.json"):
        path = mlflow.artifacts.download_artifacts(
            run_id=found.info.run_id, artifact_path=file, tracking_uri=uri, dst_path=str(tmp_path / "down")
        )
        assert Path(path).read_bytes() == (tmp_path / name / file).read_bytes()


def test_a_run_that_goes_on_goes_on_there_with_each_round_once(run: Any, uri: str, tmp_path: Path) -> None:
    name = f"resumed {uri.partition(':')[0]}"
    run(name, "checkpoint_every=2", "rounds=4", "tracking=mlflow", f"tracking.uri={uri}", stop=3)
    assert tracked_run(uri, name).info.status == "KILLED"
    resume(tmp_path / name, overrides=[], show=make_run_display(quiet=True))
    assert tracked_run(uri, name).info.status == "FINISHED"
    assert [step for step, _ in history(uri, name, "loss")] == [1, 2, 3, 4]


def test_runs_of_a_comparison_are_nested(run: Any, database: str, tmp_path: Path) -> None:
    place = ("tracking=mlflow", f"tracking.uri={database}", "tracking.group=all")
    (tmp_path / "report.html").write_text("a page", encoding="utf-8")
    warnings: list[str] = []
    with gathered(experiment_from(place).tracking, files=[tmp_path / "report.html"], warn=warnings.append):
        run("first", *place, "rounds=1")
        run("second", *place, "rounds=1", "seed=1")
    parent = tracked_run(database, "all")
    children = [tracked_run(database, name).data.tags["mlflow.parentRunId"] for name in ("first", "second")]
    assert children == [parent.info.run_id] * 2
    assert parent.info.status == "FINISHED"
    listed = mlflow.MlflowClient(tracking_uri=database).list_artifacts(parent.info.run_id)
    assert [file.path for file in listed] == ["report.html"]
    assert warnings == []


def test_telling_changes_no_bit(run: Any, database: str, tmp_path: Path) -> None:
    run("alone", "strategy=scaffold")
    run("tracked_run", "strategy=scaffold", "tracking=mlflow", f"tracking.uri={database}")
    assert trace(tmp_path / "tracked_run") == trace(tmp_path / "alone")


class Closing(RunDisplay):
    """Stops the server after the first round, and keeps warnings."""

    def __init__(self, server: Server) -> None:
        self.server, self.warnings = server, list[str]()

    def round(self, row: Any) -> None:
        if row["round"] == 1:
            self.server.stop()

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_a_server_that_goes_away_stops_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fedmed.tracking.follow.EVERY", 0.0)
    show = Closing(Server(tmp_path))
    place = ("tracking=mlflow", f"tracking.uri={show.server.uri}")
    config = experiment_from([*SMALL, *IMAGES, "model.width=4", *place])
    assert run_experiment(config, tmp_path / "run", show=show)["rounds"] == 3
    assert len(show.warnings) == 2
    assert "cannot be told of this run" in show.warnings[0]
    assert "has not been told of rounds 2 to 3" in show.warnings[1]


def test_a_server_that_was_never_there_stops_no_run(run: Any, tmp_path: Path) -> None:
    assert run("run", "tracking=mlflow", "tracking.uri=http://127.0.0.1:9")["rounds"] == 3
