"""Granted jobs as runs: checked beforehand, among the hospitals that they ask, settled by what they did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.data.partition.file import read
from fedmed.errors import UserError
from fedmed.run.parts import load_world
from fedmed.rundir.directory import RunDirectory
from fedmed.scheduling.jobs import JobsFile
from fedmed.scheduling.reading import jobs_from
from fedmed.scheduling.runs import carried_out, directory_of, job_runs, outcomes
from fedmed.server.privacy import GaussianPrivacy

TINY = ["dataset.images=60", "dataset.test_images=12", "dataset.side=16", "rounds=2", "model.width=4"]


def filed(*run: str, demand: Any = None, **more: Any) -> JobsFile:
    job = {"name": "j", "analyst": "x", "demand": demand or {"north": 8, "south": 9}, "run": [*run]}
    blocks = {"north": 20, "east": 20, "south": 20}
    return jobs_from({"blocks": blocks, "run": TINY, "jobs": [job], **more})


def test_a_run_has_the_least_epsilon_of_its_demands_and_the_hospitals_that_it_asks() -> None:
    run = job_runs(filed("strategy=fedprox"))["j"]
    assert run.hospitals == (0, 2)
    assert (run.among, run.experiment.clients) == (3, 3)
    assert isinstance(run.experiment.privacy, GaussianPrivacy)
    spent = run.experiment.privacy.spent(2, clients=2, per_round=2)
    assert 7.9 < spent.epsilon <= 8
    assert list(run.experiment.methods.members) == ["fedprox"]


def test_all_faults_of_all_runs_are_told_together() -> None:
    found = filed("clients=4", "rounds=3")
    (job,) = found.jobs
    others = [
        replace(job, name="k", run=("rounds=0", "strategi=fedavg")),
        replace(job, name="l", run=("engine=superlink",)),
        replace(job, name="m", run=(), demand={"north": 0.001}),
        replace(job, name="n", run=("clients_per_round=3",)),
    ]
    with pytest.raises(UserError) as caught:
        job_runs(replace(found, jobs=(job, *others)))
    faults = [str(fault) for fault in caught.value.faults]
    assert faults[0].startswith("jobs.j.run: clients: expected what the scheduler sets, got clients=4. Leave it out")
    assert any(each.startswith("jobs.k.run: rounds: expected a whole number >= 1") for each in faults)
    assert any("jobs.k.run: strategi" in each for each in faults)
    assert any(each.startswith("jobs.l.run: engine: expected one that runs in this process") for each in faults)
    assert any(each.startswith("jobs.m.demand: expected an epsilon of") for each in faults)
    assert any(each.startswith("jobs.n.run: clients_per_round: expected at most clients (2), got 3") for each in faults)


def test_a_run_spends_and_settles(tmp_path: Path) -> None:
    found = filed()
    run = job_runs(found)["j"]
    directory = tmp_path / "j"
    settled = carried_out(run, found, directory, {"north": 8.0, "south": 9.0}, quiet=True)
    rows = RunDirectory.open(directory).rows("rounds")
    assert (settled.status, settled.rounds) == ("finished", 2)
    assert settled.epsilons == {"north": rows[-1]["epsilon"], "south": rows[-1]["epsilon"]}
    assert 7.9 < settled.epsilons["north"] <= 8
    assert {row["clients"] for row in rows} == {2}
    again = carried_out(run, found, directory, {"north": 8.0, "south": 9.0}, quiet=True)
    assert again == settled
    assert [name for name, _, _ in outcomes({"j": directory, "k": tmp_path / "k"})] == ["j"]


def test_who_takes_part_holds_what_it_holds_in_a_run_of_all(tmp_path: Path) -> None:
    found = filed()
    some, every = job_runs(found)["j"], job_runs(filed(demand=8))["j"]
    carried_out(some, found, tmp_path / "some", {"north": 8.0}, quiet=True)
    carried_out(every, found, tmp_path / "all", {"north": 8.0}, quiet=True)
    kept = read(tmp_path / "some.npz")
    whole = load_world(every.experiment).parts
    assert [each.tolist() for each in kept] == [np.sort(whole[at]).tolist() for at in (0, 2)]


def test_a_failed_run_settles_the_rounds_that_it_did(tmp_path: Path) -> None:
    failing = tmp_path / "failing.py"
    failing.write_text(
        "from dataclasses import dataclass\nfrom fedmed.method import Method\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Failing(Method):\n"
        "    def penalty(self, client, batch):\n"
        "        if client.round == 2:\n            raise ValueError('broken')\n        return 0.0\n",
        encoding="utf-8",
    )
    for accounting in ("epsilon", "renyi"):
        found = filed(f"strategy={failing}", accounting=accounting)
        run = job_runs(found)["j"]
        settled = carried_out(run, found, tmp_path / accounting, {"north": 8.0}, quiet=True)
        assert (settled.status, settled.rounds) == ("failed", 1)
        assert "broken" in settled.why
        assert 4 < settled.epsilons["north"] < 7.5  # of 8 for two rounds: more than half, as losses add up less than so
        amount = found.composition.amount
        assert accounting == "epsilon" or amount(settled.epsilons["north"]) == pytest.approx(amount(8.0) / 2)


def test_a_run_that_never_began_has_spent_nothing(tmp_path: Path) -> None:
    job = {"name": "j", "analyst": "x", "demand": 8, "run": ["dataset=npz", f"dataset.path={tmp_path / 'none.npz'}"]}
    found = jobs_from({"blocks": {"north": 20}, "jobs": [job]})
    settled = carried_out(job_runs(found)["j"], found, tmp_path / "j", {"north": 8.0}, quiet=True)
    assert (settled.status, settled.rounds, settled.epsilons) == ("failed", 0, {"north": 0.0})
    assert "none.npz" in settled.why


def test_a_job_has_one_directory_per_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDMED_RUNS", str(tmp_path))
    (job,) = filed().jobs
    one, other = directory_of(job, tmp_path / "a.jsonl"), directory_of(job, tmp_path / "b.jsonl")
    assert one != other
    assert one.parent == tmp_path / "schedule"
    assert "/" not in directory_of(replace(job, name="../x/y"), tmp_path / "a.jsonl").name
