from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fedmed.errors import UserError
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.watched import WatchedRun, find_runs, watched_run
from fedmed.terminal.watch import run_texts


def made(path: Path, *, rounds: int = 4, metric: str = "null") -> RunDirectory:
    return RunDirectory.create(path, config_yaml=f"rounds: {rounds}\nmetric: {metric}\n", identity="x", environment={})


def row(round: int, auc: float | None = None) -> dict[str, Any]:
    return {"round": round, "loss": 1 / round, "seconds": 2.0, "test.auc": auc, "test.f1": 0.25}


def test_a_run_under_way_tells_where_it_stands(tmp_path: Path) -> None:
    made(tmp_path / "run").append("rounds", [row(1, 0.5), row(2), row(3, 0.75)])
    found = watched_run(tmp_path / "run")
    assert found
    assert run_texts(found) == {
        "round": "round 3/4",
        "loss": "loss 0.3333",
        "metric": "test.auc 0.750",
        "course": "▁█",
        "rate": "2.00 s/round",
        "left": "0:02 left",
    }
    assert not found.over


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    made(tmp_path / "run")
    found = watched_run(tmp_path / "run")
    assert found
    assert [text for text in run_texts(found).values() if text] == ["round 0/4"]


def test_a_finished_run_has_no_time_left_even_if_it_ended_early(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.append("rounds", [row(1, 0.5), row(2, 0.5)])
    run.finish({})
    found = watched_run(tmp_path / "run")
    assert found
    assert (run_texts(found)["round"], run_texts(found)["left"]) == ("round 2/2", "finished")


def test_a_run_that_stopped_is_over_with_rounds_left(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    with suppress(RuntimeError), run.under_way():
        run.append("rounds", [row(1)])
        raise RuntimeError
    found = watched_run(tmp_path / "run")
    assert found
    assert (found.over, run_texts(found)["round"], run_texts(found)["left"]) == (True, "round 1/4", "stopped")


def test_the_chosen_metric_is_told(tmp_path: Path) -> None:
    made(tmp_path / "run", metric="f1").append("rounds", [row(1, 0.5)])
    found = watched_run(tmp_path / "run")
    assert found
    assert found.metric == "test.f1"


def test_a_row_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    made(tmp_path / "run").append("rounds", [row(1, 0.5), row(2, 0.5)])
    file = tmp_path / "run/rounds.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    found = watched_run(tmp_path / "run")
    assert found
    assert found.done == 1


@pytest.mark.parametrize(("pace", "news", "silent"), [(1.0, 50, False), (1.0, 70, True), (30.0, 140, False)])
def test_long_silence_is_told(pace: float, news: float, silent: bool) -> None:
    updated = time.time() - news
    run = WatchedRun(
        path=Path(), status="running", rounds=9, metric="", values=(), row=row(1), pace=pace, updated=updated
    )
    assert run.silent == silent
    assert ("no news for 1:10" in run_texts(run)["left"]) == silent


def test_news_is_when_a_file_last_changed(tmp_path: Path) -> None:
    made(tmp_path / "run").append("rounds", [row(1)])
    for file in (tmp_path / "run").iterdir():
        os.utime(file, (1, 100.0))
    os.utime(tmp_path / "run/rounds.jsonl", (1, 200.0))
    found = watched_run(tmp_path / "run")
    assert found
    assert found.updated == 200.0


@pytest.mark.parametrize("damage", ["run.json", "config.yaml"])
def test_a_damaged_run_is_none(tmp_path: Path, damage: str) -> None:
    made(tmp_path / "run")
    (tmp_path / "run" / damage).unlink()
    assert watched_run(tmp_path / "run") is None


def test_runs_are_found_at_any_depth(tmp_path: Path) -> None:
    made(tmp_path / "all/b/run")
    made(tmp_path / "all/a")
    (tmp_path / "all/none").mkdir()
    assert find_runs(tmp_path / "all") == [tmp_path / "all/a", tmp_path / "all/b/run"]
    assert find_runs(tmp_path / "all/a") == [tmp_path / "all/a"]
    with pytest.raises(UserError, match="watch: expected a run's directory"):
        find_runs(tmp_path / "nowhere")
