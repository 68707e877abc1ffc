"""Grids that are done by worker processes, some of which come to grief."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fedmed.campaign.execution import CampaignResult, execute, finished
from fedmed.campaign.pool import RunPool, WorkerDied
from fedmed.campaign.worker import RunEnded, log_of
from fedmed.config.build import build
from fedmed.run import run as run_experiment
from fedmed.terminal.campaign import PlainCampaignDisplay, QuietCampaignDisplay
from tests.campaign.conftest import MakeGrid, MakeMethod
from tests.run.conftest import StopAfter
from tests.run.traces import trace

KILL_ONCE = 'Path("killed").exists() or (Path("killed").touch(), os.kill(os.getpid(), signal.SIGKILL))'


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_run_that_fails_and_a_worker_that_is_killed_stop_no_other(small: MakeGrid, method: MakeMethod) -> None:
    method("broken", 'raise ValueError("out of luck")')
    method("killed", KILL_ONCE)
    view = QuietCampaignDisplay(stream := io.StringIO())
    jobs = small("strategy=killed,broken,fedavg", "seed=0")
    outcome = execute(jobs, workers=2, view=view)
    killed, broken, fedavg = jobs
    assert outcome.done == (killed, fedavg)
    assert list(outcome.failed) == [broken]
    assert "out of luck" in outcome.failed[broken]
    assert "warning: killed seed=0: its worker process was killed by SIGKILL; another one goes on" in stream.getvalue()
    log = broken.directory.with_name(f"{broken.directory.name}.log")
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert outcome.failures() == [f"broken seed=0 failed: {outcome.failed[broken]}"]
    assert f"failed: broken seed=0: {outcome.failed[broken]} ({log})" in stream.getvalue()
    assert [path.name for path in log.parent.glob("*.log")] == [log.name]

    undisturbed = replace(killed, directory=Path("elsewhere"))  # now that it has been killed once
    assert execute([undisturbed], workers=1, view=QuietCampaignDisplay(io.StringIO())).done == (undisturbed,)
    assert trace(undisturbed.directory) == trace(killed.directory)


def test_what_is_done_is_not_done_again_and_what_was_broken_off_goes_on(small: MakeGrid) -> None:
    fedavg, fedprox = small("strategy=fedavg,fedprox", "seed=0")
    with pytest.raises(KeyboardInterrupt):
        run_experiment(build(fedprox.config), fedprox.directory, show=StopAfter(2))
    rows = (fedprox.directory / "rounds.jsonl").read_text(encoding="utf-8")
    assert finished(fedprox) is None
    assert execute([fedavg], workers=1, view=QuietCampaignDisplay(io.StringIO())).done == (fedavg,)
    before = _times(fedavg.directory)
    again = execute([fedavg, fedprox], workers=2, view=PlainCampaignDisplay(stream := io.StringIO()))
    assert stream.getvalue().splitlines()[0] == "2 runs, 1 of them done before: 1 to do by 1 worker"
    assert again.done == (fedavg, fedprox)
    assert _times(fedavg.directory) == before
    assert (fedprox.directory / "rounds.jsonl").read_text(encoding="utf-8").startswith(rows)
    assert len(rows.splitlines()) == 2


def test_a_run_that_is_the_death_of_every_worker_has_failed(small: MakeGrid, method: MakeMethod) -> None:
    method("deadly", "os.kill(os.getpid(), signal.SIGKILL)")
    (deadly,) = small("strategy=deadly", "seed=0")
    outcome = execute([deadly], workers=1, view=QuietCampaignDisplay(io.StringIO()))
    assert "3 worker processes died of it; the last was killed by SIGKILL" in outcome.failed[deadly]


def test_a_worker_outlives_the_failures_of_its_runs(small: MakeGrid, method: MakeMethod) -> None:
    method("broken", 'raise ValueError("out of luck")')
    jobs = small("strategy=broken", "seed=0,1")
    with RunPool(1) as pool:
        pids = set()
        for each in jobs:
            pool.give(each)
            pids |= {worker.process.process.pid for worker in pool.busy}
            assert not pool.free
            while not pool.free:
                words = [event.message for event in pool.receive(1)]
        assert isinstance(words[-1], RunEnded)
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop() or 0, 0)


def test_a_pool_ends_its_workers_in_the_middle_of_a_run(small: MakeGrid) -> None:
    (long,) = small("strategy=fedavg", "seed=0", "rounds=100000")
    with RunPool(1) as pool:
        pool.give(long)
        while not any(getattr(event.message, "done", 0) for event in pool.receive(1)):
            pass
        (worker,) = pool.busy
    assert not worker.process.process.is_alive()
    assert json.loads((long.directory / "run.json").read_text(encoding="utf-8"))["status"] == "running"


def test_a_worker_that_dies_idle_costs_a_run_nothing(small: MakeGrid) -> None:
    one, other = small("strategy=fedavg", "seed=0,1", "rounds=1")
    with RunPool(1) as pool:
        pool.give(one)
        (worker,) = pool.busy
        while pool.busy:
            pool.receive(1)
        worker.process.kill()
        worker.process.process.join()
        pool.give(other)
        (event,) = pool.receive(10)
        assert (event.run, type(event.message)) == (other, WorkerDied)
        assert pool.free


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_two_comparisons_that_need_the_same_run_do_not_both_do_it(small: MakeGrid) -> None:
    import fcntl

    (same,) = small("strategy=fedavg", "seed=0", "rounds=1")
    same.directory.parent.mkdir()
    with log_of(same.directory).open("a", encoding="utf-8") as held, RunPool(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        pool.give(same)
        assert pool.receive(4) == []
        assert not same.directory.exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        while pool.busy:
            pool.receive(1)
    assert finished(same) is not None


def _times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_runs_that_fail_alike_are_told_together(small: MakeGrid) -> None:
    jobs = small("strategy=fedavg,fedprox", "seed=0,1,2")
    *alike, other = jobs
    outcome = CampaignResult((), {**dict.fromkeys(alike, "no"), other: "never"})
    first = "fedavg seed=0, fedavg seed=1, fedavg seed=2, fedprox seed=0 and 1 more failed: no"
    assert [job.label for job in jobs[:2]] == ["fedavg seed=0", "fedavg seed=1"]
    assert outcome.failures() == [first, "fedprox seed=2 failed: never"]
