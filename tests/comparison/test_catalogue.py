"""Everything in a folder: runs in every state, runs that left nothing but a name, comparisons, damage."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.catalogue import TAIL, RunEntry, list_folder
from fedmed.comparison.record import write_record
from tests.fabricated import run, strategy


def entry(folder: Path) -> RunEntry:
    (found,) = list_folder(folder)[0]
    return found


def change(place: Path, **about: Any) -> Path:
    file = place / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **about}), encoding="utf-8")
    return place


def test_a_finished_run(tmp_path: Path) -> None:
    run(tmp_path / "a", seed=4, auc=0.7, curve=[0.5, 0.6], config={"strategy": strategy("moon")})
    found = entry(tmp_path)
    assert (found.strategy, found.dataset, found.seed, found.status) == ("moon", "synthetic_multiclass", 4, "finished")
    assert (found.done, found.rounds, found.metric, found.value) == (2, 2, "test.auc", 0.7)
    assert found.created == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "age", "expected"),
    [("running", 0, "running"), ("running", 3600, "silent"), ("stopped", 3600, "stopped")],
)
def test_a_run_that_has_not_ended(tmp_path: Path, status: str, age: int, expected: str) -> None:
    place = change(run(tmp_path / "a", curve=[0.5, 0.6], config={"rounds": 7}), status=status)
    (place / "final.json").unlink()
    for file in place.iterdir():
        os.utime(file, (file.stat().st_mtime - age,) * 2)
    found = entry(tmp_path)
    assert (found.status, found.done, found.rounds, found.value) == (expected, 2, 7, 0.6)


def test_slow_rounds_are_given_time(tmp_path: Path) -> None:
    place = change(run(tmp_path / "a"), status="running")
    (place / "rounds.jsonl").write_text('{"round": 1, "seconds": 1000.0}\n', encoding="utf-8")
    for file in place.iterdir():
        os.utime(file, (file.stat().st_mtime - 3600,) * 2)
    assert entry(tmp_path).status == "running"


@pytest.mark.parametrize("file", ["run.json", "config.yaml", "final.json", "rounds.jsonl"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]\n", b"\xff\xfe\n", b"null\n"])
def test_damage_is_told_and_hides_no_other_run(tmp_path: Path, file: str, content: bytes) -> None:
    run(tmp_path / "good")
    (run(tmp_path / "bad") / file).write_bytes(content)
    bad, good = list_folder(tmp_path)[0]
    assert good.status == "finished"
    if (file, content) not in [("rounds.jsonl", b""), ("rounds.jsonl", b"{")]:  # no whole row yet
        assert (bad.status, bool(bad.why)) == ("damaged", True)


@pytest.mark.parametrize("gone", ["run.json", "config.yaml"])
def test_what_is_missing_is_told(tmp_path: Path, gone: str) -> None:
    (run(tmp_path / "a") / gone).unlink()
    assert gone in entry(tmp_path).why


def test_the_last_row_is_found_in_a_long_file_and_after_a_torn_line(tmp_path: Path) -> None:
    place = change(run(tmp_path / "a"), status="stopped")
    rows = "".join(json.dumps({"round": n, "test.auc": 0.5, "x": "y" * 200}) + "\n" for n in range(1, 2 * TAIL // 200))
    (place / "rounds.jsonl").write_text(rows + '{"round": 99999, "tes', encoding="utf-8")
    assert entry(tmp_path).done == 2 * TAIL // 200 - 1


def test_comparisons_and_the_runs_that_failed_in_them(tmp_path: Path) -> None:
    good, gone, half = run(tmp_path / "runs/a"), tmp_path / "runs/b", change(run(tmp_path / "runs/c"), status="stopped")
    labels = {good: "fedavg seed=0", gone: "moon seed=0", half: "moon seed=1"}
    write_record(
        tmp_path / "one", labels, overrides=["strategy=fedavg,moon"], failed={gone: "no memory", half: "killed"}
    )
    entries, (gathered,) = list_folder(tmp_path)
    assert (gathered.overrides, len(gathered.runs), gathered.failed) == ("strategy=fedavg,moon", 3, 2)
    assert [(e.path.name, e.status, e.why, e.strategy) for e in entries] == [
        ("a", "finished", "", "fedavg"),
        ("b", "failed", "no memory", "moon"),
        ("c", "failed", "killed", "fedavg"),
    ]


def test_a_run_that_failed_once_and_then_finished_is_finished(tmp_path: Path) -> None:
    place = run(tmp_path / "runs/a")
    write_record(tmp_path / "one", {place: "fedavg seed=0"}, overrides=[], failed={place: "killed"})
    assert list_folder(tmp_path)[0][0].status == "finished"


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in entry(tmp_path).why


def test_nothing_is_found_in_hidden_folders_or_inside_of_runs(tmp_path: Path) -> None:
    place = run(tmp_path / "a")
    run(place / "inner")
    run(tmp_path / ".hidden/b")
    assert entry(tmp_path).path == place
