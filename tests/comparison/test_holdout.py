"""Leave one site out: a table of arms by site, and what is said over sites."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf
from pathlib import Path

import pytest
from scipy.stats import t

from fedmed.comparison.holdout import HeldOutTable, held_out_tables
from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from tests.fabricated import CONFIG, run, strategy

VALUES: Mapping[str, Mapping[str, list[float | None]]] = {
    "fedavg": {"Bern": [0.70, 0.74], "Paris": [0.60, 0.62], "Rome": [0.80, 0.80]},
    "fedprox": {"Bern": [0.75, 0.77], "Paris": [0.60, 0.66], "Rome": [0.83, None]},
}


def write(folder: Path, values: Mapping[str, Mapping[str, list[float | None]]] = VALUES, **changed: object) -> None:
    for arm, sites in values.items():
        for site, found in sites.items():
            for seed, auc in enumerate(found):
                dataset = {**CONFIG["dataset"], "held_out_site": site}
                config = {"strategy": strategy(arm), "dataset": dataset, **changed}
                run(folder / f"{arm}-{site}-{seed}-{len(changed)}", seed=seed, auc=auc, config=config)


def tables(folder: Path) -> list[HeldOutTable]:
    return list(held_out_tables(summarise(read([folder], metric="auc"))))


def test_sites_are_columns_and_what_an_interval_is_over(tmp_path: Path) -> None:
    write(tmp_path)
    (table,) = tables(tmp_path)
    assert (table.metric, table.sites, table.reference) == ("test.auc", ("Bern", "Paris", "Rome"), "fedavg")
    avg, prox = table.rows
    assert dict(avg.values) == pytest.approx({"Bern": 0.72, "Paris": 0.61, "Rome": 0.80})
    assert (avg.mean.mean, avg.mean.number, avg.difference) == (pytest.approx(0.71), 3, None)
    half = t.ppf(0.975, 2) * avg.mean.sd / 3**0.5
    assert (avg.mean.low, avg.mean.high) == (pytest.approx(0.71 - half), pytest.approx(0.71 + half))
    # paired by site and seed: of Rome only the seed that both have, and every site counts once
    assert prox.difference is not None
    assert (prox.difference.number, prox.difference.mean) == (3, pytest.approx((0.04 + 0.02 + 0.03) / 3))


def test_an_arm_without_a_value_at_a_site_says_over_how_many_sites_its_mean_is(tmp_path: Path) -> None:
    fewer = {**VALUES, "fedprox": {"Bern": [0.75, 0.77], "Paris": [None, None], "Rome": [None, None]}}
    write(tmp_path, fewer)
    _, prox = tables(tmp_path)[0].rows
    assert set(prox.values) == {"Bern"}
    assert (prox.mean.number, prox.mean.mean) == (1, pytest.approx(0.76))
    assert isinf(prox.mean.high), "one site has no interval"
    assert prox.difference is not None
    assert prox.difference.number == 1


def test_worlds_that_differ_in_more_have_a_table_each_and_runs_that_hold_nothing_out_none(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, partition={**CONFIG["partition"], "alpha": 9.0})
    run(tmp_path / "plain", config={"strategy": strategy("fedavg")})
    assert [(table.world, table.sites) for table in tables(tmp_path)] == [
        ("partition.alpha=0.5", ("Bern", "Paris", "Rome")),
        ("partition.alpha=9.0", ("Bern", "Paris", "Rome")),
    ]


def test_one_site_held_out_makes_no_table(tmp_path: Path) -> None:
    write(tmp_path, {"fedavg": {"Bern": [0.7, 0.6]}, "fedprox": {"Bern": [0.8, 0.7]}})
    assert tables(tmp_path) == []
