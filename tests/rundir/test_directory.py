import json
import math
import os
from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.rundir import directory
from fedmed.rundir.directory import RunDirectory


def create(path: Path) -> RunDirectory:
    return RunDirectory.create(path, config_yaml="seed: 1\n", identity="abc", environment={"python": "3.11"})


def test_a_new_run_holds_its_configuration_and_environment(tmp_path: Path) -> None:
    run = RunDirectory.open(create(tmp_path / "runs" / "one").path)
    assert (run.identity, run.status, run.config_yaml) == ("abc", "running", "seed: 1\n")
    assert json.loads((run.path / "environment.json").read_text(encoding="utf-8")) == {"python": "3.11"}
    assert run.final() is None
    assert run.rows("rounds") == []


def test_a_run_keeps_its_marks_and_older_runs_have_none(tmp_path: Path) -> None:
    marks = {"data": "a", "test": "b"}
    RunDirectory.create(tmp_path, config_yaml="", identity="abc", environment={}, fingerprints=marks)
    assert RunDirectory.open(tmp_path).fingerprints == marks
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    del record["marks"]
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert RunDirectory.open(tmp_path).fingerprints == {}


def test_a_folder_that_hydra_made_is_fine_but_one_with_a_run_is_not(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    create(tmp_path)
    with pytest.raises(UserError, match=r"holds one.*resume="):
        create(tmp_path)


def test_rows_of_a_run_whose_record_is_gone_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    create(tmp_path).append("audit", [{"round": 1}])
    (tmp_path / "run.json").unlink()
    with pytest.raises(UserError, match="a folder without a run"):
        create(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="file/run"):
        create(tmp_path / "file" / "run")


def test_opening_what_is_no_run_or_a_later_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json"):
        RunDirectory.open(tmp_path)
    run = create(tmp_path)
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    (run.path / "run.json").write_text(json.dumps(record | {"format": directory.FORMAT + 1}), encoding="utf-8")
    with pytest.raises(UserError, match="expected format 1, got 2"):
        RunDirectory.open(tmp_path)


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.append("clients", [{"round": 1, "client": c, "loss": 0.1 * c} for c in range(3)])
    run.append("clients", [{"round": 2, "client": 0, "loss": math.nan}])
    assert [row["client"] for row in run.rows("clients")] == [0, 1, 2, 0]
    assert run.rows("clients")[2]["loss"] == 0.1 * 2
    assert run.rows("clients")[3]["loss"] is None


def test_a_line_cut_short_by_a_kill_is_neither_read_nor_built_upon(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.append("rounds", [{"round": 1}, {"round": 2}])
    path = run.path / "rounds.jsonl"
    path.write_bytes(path.read_bytes() + b'{"round": 3, "los')
    assert [row["round"] for row in run.rows("rounds")] == [1, 2]
    run.append("rounds", [{"round": 3}])
    assert [row["round"] for row in run.rows("rounds")] == [1, 2, 3]


def test_a_first_line_cut_short_leaves_no_row(tmp_path: Path) -> None:
    run = create(tmp_path)
    (run.path / "rounds.jsonl").write_bytes(b'{"rou')
    assert run.rows("rounds") == []
    run.append("rounds", [{"round": 1}])
    assert run.rows("rounds") == [{"round": 1}]


def test_damage_inside_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    run = create(tmp_path)
    (run.path / "rounds.jsonl").write_text('{"round": 1}\n{"round"\n{"round": 3}\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"rounds\.jsonl, line 2"):
        run.rows("rounds")


def test_going_back_drops_later_rounds_of_every_kind(tmp_path: Path) -> None:
    run = create(tmp_path)
    for kind in ("rounds", "clients"):
        run.append(kind, [{"round": r, "x": r / 3} for r in (1, 2, 3)])  # type: ignore[arg-type]
    assert run.go_back(2) == run.rows("rounds") == [{"round": 1, "x": 1 / 3}, {"round": 2, "x": 2 / 3}]
    assert run.rows("clients") == run.rows("rounds")
    assert not (run.path / "audit.jsonl").exists()


def test_rounds_that_the_disk_has_lost_are_not_passed_over(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.append("rounds", [{"round": 1}, {"round": 2}])
    with pytest.raises(UserError, match=r"rounds\.jsonl: expected rows of all 4 rounds of the checkpoint, got 2"):
        run.go_back(4)


def test_what_has_a_record_is_whole_and_what_has_none_has_not_begun(tmp_path: Path) -> None:
    def killed() -> None:
        assert (tmp_path / "environment.json").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RunDirectory.create(tmp_path, config_yaml="seed: 1\n", identity="abc", environment={}, fill=killed)
    found, began = RunDirectory.find(tmp_path)
    assert (found.config_yaml, began) == ("seed: 1\n", False)
    create(tmp_path)
    assert RunDirectory.find(tmp_path)[1]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match="a run directory"):
        RunDirectory.find(tmp_path / "nothing")


def test_rows_are_on_the_disk_when_they_are_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, synced = create(tmp_path), set[int]()
    run.append("rounds", [{"round": 1}])
    run.append("clients", [{"round": 1}])
    monkeypatch.setattr("os.fsync", lambda file: synced.add(os.fstat(file).st_ino))
    run.sync()
    assert synced == {(tmp_path / name).stat().st_ino for name in ("rounds.jsonl", "clients.jsonl", ".")}


def test_finishing_stores_the_result(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.finish({"test.auc": 0.9, "test.loss": math.nan, "directory": tmp_path})
    again = RunDirectory.open(tmp_path)
    assert again.status == "finished"
    assert again.final() == {"test.auc": 0.9, "test.loss": None, "directory": str(tmp_path)}
    assert again.identity == "abc"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_an_error_ends_has_stopped_until_it_goes_on(tmp_path: Path, error: type[BaseException]) -> None:
    run = create(tmp_path / "run")
    with pytest.raises(error), run.under_way():
        raise error
    assert run.status == "stopped"
    with run.under_way():
        assert run.status == "running"


def test_what_fails_after_the_result_leaves_a_run_finished(tmp_path: Path) -> None:
    run = create(tmp_path / "run")

    def finish_and_fail() -> None:
        with run.under_way():
            run.finish({})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish_and_fail()
    assert run.status == "finished"
