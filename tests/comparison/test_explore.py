"""A comparison by other metrics: to be looked at, and not to be tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.comparison.explore import MOST, other_metrics
from fedmed.comparison.read import read
from fedmed.comparison.rows import Summary
from fedmed.comparison.summary import summarise
from tests.fabricated import CONFIG, run, strategy


def summary(folder: Path, worlds: int = 1, **final: float) -> Summary:
    for world in range(worlds):
        for number, name in enumerate(("fedavg", "moon", "fedprox")):
            for seed in range(5):
                value = 0.7 + 0.1 * number + 0.01 * seed * (number + 1)
                partition = {**CONFIG["partition"], "alpha": world + 1.0}
                config = {"strategy": strategy(name), "partition": partition}
                ends = {"test.f1": value / 2, "client.mean.auc": value, "client.worst.id": 3, "domain.mean.auc.of": 4}
                place = folder / f"{name}{seed}{world}"
                run(place, seed=seed, auc=value, config=config, curve=[0.5, value], final=ends | final)
    return summarise(read([folder]))


def test_the_headline_comes_first_and_unchanged(tmp_path: Path) -> None:
    given = summary(tmp_path)
    first, *others = other_metrics(given)
    assert first is given
    assert [each.headline for each in others] == ["client.mean.auc", "test.loss", "test.f1"]


def test_other_metrics_have_means_and_differences_but_no_tests_and_no_marks(tmp_path: Path) -> None:
    given = summary(tmp_path)
    f1 = next(each for each in other_metrics(given) if each.headline == "test.f1")
    rows = {row.arm: row for row in f1.rows if row.metric == "test.f1"}
    assert rows["moon"].difference == pytest.approx(0.06)
    assert rows["moon"].dlow is not None
    assert {(row.p, row.p_holm, row.mark) for row in rows.values()} == {(None, None, "")}
    assert {row.mark for row in given.rows if row.metric == "test.auc"} > {""}, "the headline is tested"
    assert [row for row in f1.rows if row.metric == "test.auc"] == [
        row for row in given.rows if row.metric == "test.auc"
    ]


def test_the_scopes_of_the_headline_keep_their_tests(tmp_path: Path) -> None:
    other = next(each for each in other_metrics(summary(tmp_path)) if each.headline == "client.mean.auc")
    assert any(row.mark == "best" for row in other.rows if row.metric == "client.mean.auc")


@pytest.mark.parametrize(("worlds", "most"), [(1, MOST), (12, 4)])
def test_there_are_not_too_many(tmp_path: Path, worlds: int, most: int) -> None:
    given = summary(tmp_path, worlds, **{f"test.own{number}": 0.5 for number in range(20)})
    assert len(other_metrics(given)) == most
