"""Which runs belong to a comparison, though they are kept elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fedmed.comparison.record import NAME, comparison_folder, failures, folder_of, overrides_of, recorded, write_record
from fedmed.errors import UserError


def test_a_record_names_its_runs_and_moves_with_them(tmp_path: Path) -> None:
    runs = {tmp_path / "old" / "runs" / name: f"{name} seed=0" for name in ("a", "b")}
    folder = tmp_path / "old" / "comparisons" / "one"
    write_record(folder, runs, overrides=["seed=0"], failed={tmp_path / "old" / "runs" / "b": "out of luck"})
    assert recorded(folder / NAME) == list(runs)
    assert failures(folder / NAME) == {tmp_path / "old" / "runs" / "b": ("b seed=0", "out of luck")}
    assert overrides_of(folder / NAME) == ["seed=0"]
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    assert content["asked"] == ["seed=0"]
    assert [run.get("error") for run in content["runs"]] == [None, "out of luck"]
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert recorded(tmp_path / "new" / "comparisons" / "one" / NAME) == [tmp_path / "new" / "runs" / n for n in "ab"]


def test_runs_of_one_name_are_all_on_record(tmp_path: Path) -> None:
    runs = {tmp_path / name: "fedavg seed=0" for name in ("a", "b")}
    write_record(tmp_path / "c", runs, overrides=[])
    assert recorded(tmp_path / "c" / NAME) == list(runs)


@pytest.mark.parametrize("content", ["{", '{"format": 2, "runs": []}'])
def test_a_record_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=NAME):
        recorded(tmp_path / NAME)


def test_the_folder_of_a_comparison_is_that_of_the_same_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMED_RUNS", str(tmp_path))
    one = comparison_folder("fedavg", ["a", "b"])
    assert one.parent == tmp_path / "comparisons"
    assert one == comparison_folder("fedavg", ["b", "a"]) != comparison_folder("fedavg", ["a"])
    write_record(one, {tmp_path / "a": "fedavg seed=0"}, overrides=[])
    assert folder_of([one]) == one
    assert folder_of([tmp_path]).name.startswith("runs_")
