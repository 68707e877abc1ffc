"""Schedules: periods, what is kept, what goes on after a kill at any operation on the ledger."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kills import Deadly
from fedmed.errors import UserError
from fedmed.scheduling import schedule as module
from fedmed.scheduling.ledger import Settlement
from fedmed.scheduling.policies.fcfs import FirstComeFirstServed
from fedmed.scheduling.reading import jobs_from
from fedmed.scheduling.runs import JobRun, job_runs
from fedmed.scheduling.schedule import schedule

TINY = ["dataset.images=60", "dataset.test_images=12", "dataset.side=16", "rounds=2", "model.width=4"]
JOBS: dict[str, Any] = {
    "blocks": {"north": 20, "south": 20},
    "jobs": [
        {"name": "x1", "analyst": "x", "demand": {"north": 12}},
        {"name": "y1", "analyst": "y", "demand": {"north": 9, "south": 9}},
        {"name": "y2", "analyst": "y", "demand": {"south": 15}, "patience": 1},
        {"name": "x2", "analyst": "x", "demand": {"south": 10}, "arrives": 2},
    ],
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDMED_RUNS", raising=False)


def kinds(path: str = "ledger.jsonl") -> list[str]:
    return [row["kind"] for row in rows(path)]


def rows(path: str = "ledger.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def statuses(found: module.Schedule) -> dict[str, str]:
    return {row["job"]: row["status"] for row in found.rows}


def test_periods_go_by_and_are_kept() -> None:
    found = schedule(JOBS, FirstComeFirstServed())
    assert statuses(found) == {"x1": "granted", "y1": "waits", "y2": "granted", "x2": "waits"}
    assert {each["block"]: each["left"] for each in found.blocks} == {"north": 8.0, "south": 5.0}
    assert kinds() == ["ledger", "grant", "grant", "period", "period", "period"]
    assert [row["utility"] for row in rows() if row["kind"] == "grant"] == [0.6, 0.75]
    assert found.state.time == 2.0


def test_without_runs_there_is_no_period_after_the_last_arrival() -> None:
    assert schedule({**JOBS, "jobs": JOBS["jobs"][:2]}).state.time == 0.0
    assert kinds() == ["ledger", "grant", "period"]


def test_another_call_leaves_what_was_granted_and_takes_in_what_is_new() -> None:
    schedule(JOBS, FirstComeFirstServed())
    more = {**JOBS, "jobs": [*JOBS["jobs"], {"name": "z1", "analyst": "z", "demand": {"south": 5}}]}
    assert statuses(schedule(more))["z1"] == "granted"
    assert Counter(kinds())["grant"] == 3
    changed = {**JOBS, "jobs": [{"name": "x1", "analyst": "x", "demand": {"north": 1}}]}
    with pytest.raises(
        UserError, match=r"jobs.x1.demand: expected what ledger.jsonl has granted, north 12, got north 1"
    ):
        schedule(changed)


def test_whoever_waits_longer_than_its_patience_leaves() -> None:
    jobs = [{**job, "patience": 0} if job["name"] == "y1" else job for job in JOBS["jobs"]]
    found = schedule({**JOBS, "jobs": jobs}, FirstComeFirstServed())
    assert statuses(found)["y1"] == "refused"
    assert "waited longer than its patience" in found.state.refused["y1"]
    assert statuses(schedule({**JOBS, "jobs": jobs}))["y1"] == "refused"


def test_a_dry_run_writes_nothing() -> None:
    assert statuses(schedule(JOBS, dry_run=True)) == statuses(schedule(JOBS))
    before = Path("ledger.jsonl").read_bytes()
    schedule(JOBS, dry_run=True, run=True)
    assert Path("ledger.jsonl").read_bytes() == before


def test_the_ledger_lies_beside_the_jobs_file_unless_told_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/jobs.yaml").write_text(json.dumps(JOBS), encoding="utf-8")
    schedule(tmp_path / "deep/jobs.yaml")
    schedule(str(tmp_path / "deep/jobs.yaml"), ledger="other.jsonl")
    assert kinds("deep/ledger.jsonl") == kinds("other.jsonl")


def fake_run(spent: float) -> Any:
    """Stands for a run that spends a part of its grant."""

    def run(run: JobRun, found: Any, directory: Path, granted: Any, *, quiet: bool) -> Settlement:
        epsilons = {block: spent * epsilon for block, epsilon in granted.items()}
        return Settlement(job=run.job.name, epsilons=epsilons, rounds=2, status="finished")

    return run


def test_what_a_run_leaves_is_offered_to_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "carried_out", fake_run(0.4))
    found = schedule({**JOBS, "run": TINY}, FirstComeFirstServed(), run=True, quiet=True)
    assert statuses(found) == dict.fromkeys(("x1", "y1", "y2", "x2"), "finished")
    left = {each["block"]: each["left"] for each in found.blocks}
    assert left == pytest.approx({"north": 20 - 4.8 - 3.6, "south": 20 - 3.6 - 6 - 4})
    settled = [row for row in rows() if row["kind"] == "settlement"]
    assert settled[-1]["left"] == pytest.approx({"south": 6.4})
    schedule({**JOBS, "run": TINY}, FirstComeFirstServed(), run=True, quiet=True)
    assert len([row for row in rows() if row["kind"] == "settlement"]) == 4


def test_real_runs_settle_what_they_spent() -> None:
    jobs = [{"name": "x1", "analyst": "x", "demand": {"north": 9}}, {"name": "y1", "analyst": "y", "demand": 8}]
    found = schedule({**JOBS, "run": [*TINY, "dataset.images=300"], "jobs": jobs}, run=True, quiet=True)
    assert statuses(found) == {"x1": "finished", "y1": "finished"}
    assert all(0.99 * 8 < row["spent"]["north"] <= row["asked"]["north"] for row in found.rows)
    assert all(row["metric"] == "test.auc" for row in found.rows)
    assert found.failed == []
    assert "sum of utilities 0.850" in str(found)
    assert "test.auc" in found.table(200)


def test_faults_of_runs_are_told_before_anything_is_decided() -> None:
    with pytest.raises(UserError, match=r"jobs.x1.run: rounds: expected a whole number >= 1, got 0"):
        schedule({**JOBS, "run": ["rounds=0"]})
    assert not Path("ledger.jsonl").exists()


def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are fakes, and are planned only once for all processes."""
    planned = job_runs(jobs_from({**JOBS, "run": TINY}))
    monkeypatch.setattr(module, "job_runs", lambda found: planned)
    monkeypatch.setattr(module, "carried_out", fake_run(0.4))


def in_a_fork(work: Any) -> int:
    """Does the work in a process of its own; how it ended."""
    if process := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def scheduled(folder: Path, at: int = 0) -> None:
    """The schedule of a folder, killed at the `at`-th operation on files there; counts them into `count` otherwise."""
    deadly = Deadly(folder, at)
    deadly.install()
    schedule({**JOBS, "run": TINY}, FirstComeFirstServed(), run=True, ledger=folder / "ledger.jsonl", quiet=True)
    Path("count").write_text(str(deadly.count), encoding="utf-8")


def meant(folder: Path) -> list[dict[str, Any]]:
    """The rows that count, without what names the folder."""
    found = rows(str(folder / "ledger.jsonl"))
    while any(row["kind"] == "void" for row in found):
        at = next(at for at, row in enumerate(found) if row["kind"] == "void")
        found = found[: at - int(found[at]["rows"])] + found[at + 1 :]
    return [{name: value for name, value in row.items() if name != "directory"} for row in found]


def test_a_kill_at_any_operation_on_the_ledger_spends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_training(monkeypatch)
    straight = tmp_path / "straight"
    assert in_a_fork(lambda: scheduled(straight)) == 0
    total = int(Path("count").read_text(encoding="utf-8"))
    assert total > 15
    for at in range(1, total + 1):
        folder = tmp_path / f"killed{at}"
        assert in_a_fork(lambda folder=folder, at=at: scheduled(folder, at)) == -signal.SIGKILL  # type: ignore[misc]
        assert in_a_fork(lambda folder=folder: scheduled(folder)) == 0  # type: ignore[misc]
        counted = Counter((row["kind"], row["job"]) for row in meant(folder) if "job" in row)
        assert set(counted.values()) == {1}, at
        spent = [row["spent"] for row in meant(folder) if row["kind"] == "settlement"]
        assert sum(each.get("north", 0.0) for each in spent) == pytest.approx(8.4), at
        assert sum(each.get("south", 0.0) for each in spent) == pytest.approx(13.6), at


def test_after_a_kill_the_same_decisions_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_training(monkeypatch)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert in_a_fork(lambda: scheduled(straight)) == 0
    for at in (8, 4, 5):
        assert in_a_fork(lambda at=at: scheduled(killed, at)) == -signal.SIGKILL  # type: ignore[misc]
    assert in_a_fork(lambda: scheduled(killed)) == 0
    assert meant(killed) == meant(straight)
