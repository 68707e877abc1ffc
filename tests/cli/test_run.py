from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedmed.cli.main import main
from fedmed.errors import refuse
from fedmed.method import chain
from fedmed.options.groups import SETTINGS
from fedmed.strategies.fedprox import FedProx

FINAL = {"test.auc": 0.75, "client.worst.id": 1, "best.round": None, "bytes.up": 10, "bytes.down": 10, "rounds": 1}
FINAL |= {"seconds": 2.0, "seconds.per_round": None}

Calls = list[tuple[Any, Path]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The runs that the command makes, in an empty folder; nothing is trained."""
    made: Calls = []

    def run(config: Any, directory: Path, *, show: Any) -> dict[str, Any]:
        print("a word on standard output")
        show.note("a note")
        made.append((config, directory))
        return {**FINAL, "directory": str(directory)}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fedmed.run.run", run)
    return made


def test_a_run_gets_its_config_and_directory_and_shows_its_result(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "strategy=fedprox", "strategy.mu=0.1", "hydra.run.dir=here"]) == 0
    (experiment, directory) = calls[0]
    assert (experiment.methods, directory) == (chain(FedProx(mu=0.1)), Path("here"))
    assert "0.750" in capsys.readouterr().out


def test_json_leaves_one_object_on_standard_output(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--json"]) == 0
    message = capsys.readouterr()
    assert json.loads(message.out)["test.auc"] == 0.75
    assert "a word on standard output" in message.err
    assert "a note" in message.err


def test_quiet_keeps_notes_back(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--json", "--quiet"]) == 0
    assert "a note" not in capsys.readouterr().err


def test_a_sweep_runs_every_job_wherever_the_flag_stands(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "experiment=smoke", "--multirun", "strategy=fedavg,fedprox", "--json", "seed=0,1"]) == 0
    assert [(list(made.methods.members), made.seed) for made, _ in calls] == [
        ([name], seed) for name in ("fedavg", "fedprox") for seed in (0, 1)
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["directory"] for line in lines] == [str(directory) for _, directory in calls]


@pytest.mark.parametrize("flags", [[], ["--multirun"], ["--cfg", "job"]])
def test_faults_exit_with_2_and_write_nothing(
    flags: list[str], calls: Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *flags, "strategy=fedproxx", "rounds=0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("fedmed: error: ") for line in lines] == [True, True]
    assert (calls, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_what_the_run_refuses_exits_with_2(
    flags: list[str], calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(config: Any, directory: Path, *, show: Any) -> dict[str, Any]:
        raise refuse("dataset.path", "a file that exists", "x.npz")

    monkeypatch.setattr("fedmed.run.run", run)
    assert main(["run", *flags]) == 2
    assert "dataset.path" in capsys.readouterr().err


def test_other_errors_come_out(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedmed.run.run", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_an_interrupted_run_says_how_to_go_on(
    flags: list[str], calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(config: Any, directory: Path, *, show: Any) -> dict[str, Any]:
        directory.mkdir(parents=True, exist_ok=True)
        calls.append((config, directory))
        raise KeyboardInterrupt

    monkeypatch.setattr("fedmed.run.run", run)
    assert main(["run", "seed=1", *flags]) == 130
    assert len(calls) == 1
    assert f"fedmed run resume={Path(calls[0][1]).resolve().relative_to(Path.cwd())}" in capsys.readouterr().err


def test_how_to_go_on_can_be_pasted(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(config: Any, directory: Path, *, show: Any) -> dict[str, Any]:
        directory.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("fedmed.run.run", run)
    monkeypatch.setenv("FEDMED_RUNS", "my runs")
    assert main(["run", "hydra.run.dir=my runs/one"]) == 130
    assert shlex.split(capsys.readouterr().err.partition("with: ")[2]) == ["fedmed", "run", "resume=my runs/one"]


def test_resume_passes_the_other_overrides_on(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[Any] = []

    def resume(directory: Path, *, overrides: list[str], show: Any, trusted: list[Path]) -> dict[str, Any]:
        resumed.append((directory, overrides, trusted))
        return {**FINAL, "directory": str(directory)}

    monkeypatch.setattr("fedmed.run.resume", resume)
    assert main(["run", "resume=there", "rounds=3", "--trust", "mine.py"]) == 0
    assert (resumed, calls) == ([(Path("there"), ["rounds=3"], [Path("mine.py")])], [])


def test_cfg_prints_the_config_and_runs_nothing(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--cfg", "job", "strategy=fedprox", "strategy.mu=0.25"]) == 0
    message = capsys.readouterr().out
    assert "mu: 0.25" in message
    assert "hydra:" not in message
    assert calls == []


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", "--help"]) == 0
    message = capsys.readouterr().out
    assert [name for name in SETTINGS if f"\n  {name}=" not in message] == []
    assert "apfl, coordinate_median" in message
    assert max(map(len, message.splitlines())) <= 90


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--jsn"]) == 2
    assert "--jsn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "folder"), [(["hydra.run.dir=here"], "here"), (["-m", "seed=0,1", "hydra.sweep.dir=all"], "all")]
)
def test_open_shows_the_page_of_the_run_or_of_all_runs(
    arguments: list[str], folder: str, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Path] = []
    monkeypatch.setattr("fedmed.api.report.write_report", lambda paths, to: SimpleNamespace(page=to / "report.html"))
    monkeypatch.setattr("fedmed.cli.report.show", shown.append)
    assert main(["run", "--json", "--open", *arguments]) == 0
    assert shown == [Path(folder, "report.html")]
    assert "report.html" not in capsys.readouterr().out
