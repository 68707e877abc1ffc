"""Experiments side by side, from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fedmed
from fedmed.comparison.settings import base_name

SMALL: dict[str, Any] = {"clients": 3, "rounds": 1, "dataset": fedmed.SyntheticMulticlass(images=120, test_images=30)}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDMED_RUNS", raising=False)


def test_every_combination_runs_once_and_tells_its_differences() -> None:
    methods = [fedmed.FedAvg(), fedmed.FedProx(mu=1)]
    runs = fedmed.compare(fedmed.Experiment(**SMALL), strategy=methods, seed=range(2), quiet=True)
    assert [(run.config.text("strategy"), run.config["seed"]) for run in runs] == [
        (name, seed) for name in ("fedavg", "fedprox") for seed in (0, 1)
    ]
    assert [row["strategy"] for row in runs.rows] == ["fedavg", "fedavg", "fedprox", "fedprox"]
    assert "fedprox" in runs.table()
    assert runs.report().is_file()
    assert "<table>" in runs._repr_html_()
    before = [run.directory.joinpath("final.json").stat().st_mtime_ns for run in runs]
    worst = "client.worst.accuracy"
    again = fedmed.compare(fedmed.Experiment(**SMALL), strategy=methods, seed=range(2), quiet=True, metric=worst)
    assert again.summary().headline == worst
    assert runs.summary(metric="client.mean.loss").headline == "client.mean.loss"
    assert not runs.summary(metric="client.mean.loss").comparison.greater
    assert [run.directory.joinpath("final.json").stat().st_mtime_ns for run in again] == before


def test_references_stand_beside_what_is_compared() -> None:
    runs = fedmed.compare(fedmed.Experiment(**SMALL), seed=[0], references=True, quiet=True)
    assert sorted(base_name(run.config) for run in runs) == ["fedavg", "local-only", "pooled"]


def test_faults_of_all_experiments_come_together_before_the_first_one_runs(tmp_path: Path) -> None:
    with pytest.raises(fedmed.UserError) as refused:
        fedmed.compare(fedmed.Experiment(**SMALL), rounds=[0, 1], batch_size=[5, -1], quiet=True)
    assert {fault.where for fault in refused.value.faults} == {"Experiment.rounds", "Experiment.batch_size"}
    with pytest.raises(fedmed.UserError, match="Did you mean strategy"):
        fedmed.compare(fedmed.Experiment(**SMALL), strategies=[fedmed.FedAvg()])
    assert list(tmp_path.iterdir()) == []


def test_one_site_at_a_time_is_left_out_and_told_in_a_table() -> None:
    given = {**SMALL, "clients": None, "dataset": fedmed.SyntheticMulticlass(images=120, test_images=30, sites=3)}
    experiment = fedmed.Experiment(**given, partition=fedmed.SitePartition())
    runs = fedmed.compare(experiment, seed=[0], holdout="each", quiet=True)
    assert [run.config["dataset.held_out_site"] for run in runs] == ["site 0", "site 1", "site 2"]
    assert runs.table().splitlines()[0].startswith("Tested at the site that was held out of synthetic_multiclass")
    assert "At a site that was held out" in runs.report().read_text(encoding="utf-8")
    assert (runs.folder / "held_out.csv").is_file()
    with pytest.raises(fedmed.UserError, match="holdout: expected each, got all"):
        fedmed.compare(experiment, holdout="all")  # type: ignore[arg-type]
    with pytest.raises(fedmed.UserError, match="expected null, as holdout=each"):
        fedmed.compare(fedmed.Experiment(dataset=fedmed.SyntheticMulticlass(sites=2, held_out_site=1)), holdout="each")
