from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from fedmed.cli import watch
from fedmed.cli.main import main
from fedmed.comparison.record import write_record
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.watch import _in_sight, watch_table


def made(path: Path, done: int = 0, *, rounds: int = 20, finished: bool = False) -> RunDirectory:
    run = RunDirectory.create(path, config_yaml=f"rounds: {rounds}\nmetric: null\n", identity="x", environment={})
    goes_on(run, 1, done)
    if finished:
        run.finish({})
    return run


def goes_on(run: RunDirectory, first: int, last: int) -> None:
    rows = [{"round": r, "loss": 1.0, "seconds": 1.0, "test.auc": r / 100} for r in range(first, last + 1)]
    run.append("rounds", rows)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What happens between two looks, one thing after the other."""
    things: list[Any] = []
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: things.pop(0)())
    return things


def test_once_tells_where_a_run_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "run", 3)
    assert main(["watch", str(tmp_path / "run"), "--once"]) == 0
    assert capsys.readouterr().out == "round  3/20  loss 1.0000  test.auc 0.030  ▁▅█  1.00 s/round  0:17 left\n"


def test_a_run_is_followed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str], meanwhile: list[Any]) -> None:
    run = made(tmp_path / "run", 1)
    meanwhile += [
        lambda: goes_on(run, 2, 3),
        lambda: goes_on(run, 4, 4),
        lambda: None,
        lambda: goes_on(run, 5, 20),
        lambda: run.finish({}),
    ]
    assert main(["watch", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  loss")[0] for line in lines] == [f"round {n:2}/20" for n in (1, 3, 4, 20, 20)]
    assert lines[-1].endswith("finished")


def test_a_folder_is_followed_until_no_run_begins_any_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], meanwhile: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "all/a", 20, finished=True)
    now = time.time()
    monkeypatch.setattr("fedmed.rundir.watched.time.time", lambda: now)

    def settle() -> None:
        nonlocal now
        now += watch.SETTLED + 5

    meanwhile += [lambda: made(tmp_path / "all/b", 20, finished=True), lambda: None, settle]
    assert main(["watch", str(tmp_path / "all")]) == 0
    assert meanwhile == []
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]


def test_ctrl_c_leaves_quietly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], meanwhile: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    made(tmp_path / "run", 1)
    meanwhile.append(interrupted)
    assert main(["watch", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err == "\n"


def test_a_terminal_gets_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        made(tmp_path / name, 3)
    made(tmp_path / "c", 20, finished=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["watch", str(tmp_path), "--once"]) == 0
    message = capsys.readouterr().out
    assert "1 of 3 runs finished" in message
    assert message.rpartition("runs finished")[2].count("round  3/20") == 2


@pytest.mark.parametrize(
    ("columns", "there", "gone"),
    [
        (160, "1.00 s/round", "no way"),
        (130, "▁", "s/round"),
        (114, "━", "▁"),
        (80, "▁", "s/round"),
        (60, "loss", "━"),
    ],
)
def test_a_narrow_screen_leaves_out_what_matters_least_and_cuts_no_name(
    tmp_path: Path, columns: int, there: str, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    name = "fedprox_synthetic_multiclass_seed100_5cd7167596ef"
    made(tmp_path / name, 9)
    monkeypatch.setenv("COLUMNS", str(columns))
    console = Console(width=columns, color_system=None)
    with console.capture() as capture:
        console.print(watch_table(watch.look(tmp_path, {}), tmp_path, 1))
    lines = capture.get().splitlines()
    assert lines[1].startswith(name)
    assert "…" not in capture.get()
    assert all(figure in lines[-1] for figure in (there, "round  9/20", "test.auc 0.090", "0:11 left"))
    assert gone not in lines[-1]


def test_the_screen_shows_what_moved_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        made(tmp_path / f"{number}", 1, finished=number % 3 > 0)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: type("Size", (), {"lines": 7, "columns": 80}))
    shown = [run.path.name for run in _in_sight(watch.look(tmp_path, {}))]
    assert len(shown) == 4
    assert {"0", "3", "6"} < set(shown)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "watch: expected a run's directory"), ([".", "--every", "0"], "a number above 0"), ([], "DIR")],
)
def test_what_cannot_be_watched_is_refused(
    tmp_path: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["watch", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_comparison_is_followed_until_its_runs_are_finished_or_have_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], meanwhile: list[Any]
) -> None:
    folder, places = tmp_path / "comparisons/one", {name: tmp_path / "runs" / name for name in ("a", "b", "c")}
    runs_of = {place: name for name, place in places.items()}
    write_record(folder, runs_of, overrides=[])
    made(places["a"], 20, finished=True)
    runs = [made(places["b"], 4)]
    meanwhile += [
        lambda: made(places["c"], 2),
        lambda: runs[0].finish({}),
        lambda: write_record(folder, runs_of, overrides=[], failed={places["c"]: "the loss is not finite"}),
    ]
    assert main(["watch", str(folder)]) == 0
    assert meanwhile == []
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["a", "b", "c", "b"]
