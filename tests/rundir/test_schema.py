from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.find import content_of
from fedmed.errors import UserError
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.schema import check_result

ABOUT = {"format": 1, "identity": "a", "created": "2026", "rounds": 2, "status": "finished"}
FINAL = {"test.auc": 0.5, "rounds": 2, "bytes.up": 1, "bytes.down": 1, "seconds": 0.1, "seconds.per_round": None}
FINAL |= {"best.round": None, "client.worst.id": None, "directory": "kept"}
ROW = {"round": 1, "loss": 0.5, "test.auc": None, "client.worst.id": 0}


def run_of(folder: Path, about: Any = ABOUT, row: Any = ROW, final: Any = FINAL) -> RunDirectory:
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "rounds.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (folder / "final.json").write_text(json.dumps(final), encoding="utf-8")
    return RunDirectory(folder)


def test_a_sound_run_is_read(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    assert (run.status, run.identity, run.planned, run.rows("rounds"), run.final()) == (
        "finished",
        "a",
        2,
        [ROW],
        FINAL,
    )
    assert run_of(tmp_path, {**ABOUT, "marks": {"data": "x"}, "better": {}}).fingerprints == {"data": "x"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", 10), ("status", "over"), ("rounds", "2"), ("rounds", 0), ("identity", None), ("marks", [1])],
)
def test_run_json_of_another_form_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"run.json: {name}: expected "):
        _ = run_of(tmp_path, {**ABOUT, name: value}).status


def test_run_json_that_lacks_an_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run.json: identity: expected text, got None"):
        _ = run_of(tmp_path, {name: value for name, value in ABOUT.items() if name != "identity"}).identity


@pytest.mark.parametrize(
    ("name", "value"),
    [("round", "1"), ("round", -1), ("client", 0.5), ("test.auc", "0.7"), ("loss", [1]), ("loss", 10**400)],
)
def test_rows_of_another_form_are_refused_by_line_and_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"rounds.jsonl, line 1: {name}: expected "):
        run_of(tmp_path, row={**ROW, name: value}).rows("rounds")


@pytest.mark.parametrize(("name", "value"), [("test.auc", "os.system"), ("directory", 3), ("seconds", {})])
def test_results_of_another_form_are_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    run = run_of(tmp_path, final={**FINAL, name: value})
    with pytest.raises(UserError, match=rf"final.json: {name}: expected "):
        run.final()
    with pytest.raises(UserError, match=rf"final.json: {name}"):
        content_of(tmp_path / "final.json")


@pytest.mark.parametrize("name", sorted(FINAL.keys() - {"test.auc"}))
def test_results_that_lack_an_entry_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=rf"final.json: {name}: expected an entry"):
        check_result({key: value for key, value in FINAL.items() if key != name}, "final.json")
