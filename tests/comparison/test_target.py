"""Rounds, bytes and seconds to a target, by hand; runs that never get there are told as such."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.runs import ComparedRun
from fedmed.comparison.target import default_target, reach, target_row
from tests.fabricated import run


def _runs(folder: Path, *curves: list[float | None]) -> list[ComparedRun]:
    for seed, curve in enumerate(curves):
        run(folder / str(seed), seed=seed, curve=curve)
    return list(read([folder]).runs.values())


def test_the_first_evaluated_round_that_reaches_it_counts(tmp_path: Path) -> None:
    [only] = _runs(tmp_path, [0.1, None, 0.7, 0.6])
    # three rounds of 30 bytes and 2 s
    assert reach(only, "test.auc", 0.7, greater=True, simulated=False) == (3, 90, 6.0)
    assert reach(only, "test.auc", 0.71, greater=True, simulated=False) == (inf, inf, inf)
    assert reach(only, "test.auc", 0.1, greater=False, simulated=False).rounds == 1


def test_a_simulated_clock_is_used_where_it_ran(tmp_path: Path) -> None:
    [only] = _runs(tmp_path, [0.1, 0.7])
    rows = [{**row, "simulated_seconds": 100.0} for row in only.rounds]
    (only.path / "rounds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    [again] = read([tmp_path]).runs.values()
    assert reach(again, "test.auc", 0.7, greater=True, simulated=True).seconds == 200


def test_the_median_counts_runs_that_never_get_there_as_longest(tmp_path: Path) -> None:
    runs = _runs(tmp_path, [0.9, 0.9, 0.9], [0.1, 0.9, 0.9], [0.1, 0.1, 0.1])
    row = target_row(runs, world="w", arm="a", metric="test.auc", target=0.5, greater=True, simulated=False)
    assert (row.n, row.reached) == (3, 2)
    assert (row.rounds, row.bytes, row.seconds) == (2, 60, 4.0)
    assert (row.all_rounds, row.all_bytes, row.all_seconds, row.clock) == (3, 90, 6.0, "wall")


@pytest.mark.parametrize("others", [[[0.1, 0.1]], [[0.1, 0.1], [0.1, 0.1]]])
def test_where_half_the_runs_or_more_never_do_there_is_no_median(tmp_path: Path, others: list[list[float]]) -> None:
    runs = _runs(tmp_path, [0.9, 0.9], *others)
    row = target_row(runs, world="w", arm="a", metric="test.auc", target=0.5, greater=True, simulated=False)
    assert row.reached == 1
    assert (row.rounds, row.bytes, row.seconds) == (None, None, None)


def test_the_target_is_a_little_worse_than_the_reference() -> None:
    assert default_target(0.8, greater=True) == pytest.approx(0.76)
    assert default_target(0.38, greater=False) == pytest.approx(0.4)


@pytest.mark.parametrize("greater", [True, False])
@pytest.mark.parametrize("end", [0.8, -0.8, 2.5, -2.5])
def test_the_reference_itself_reaches_the_default_target(end: float, greater: bool) -> None:
    """Of metrics below zero too, such as a correlation or a log-likelihood of the user's."""
    target = default_target(end, greater)
    assert target < end if greater else target > end
    assert abs(target - end) < 0.06 * abs(end)
