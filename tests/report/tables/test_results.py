from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.tables import details, results
from fedmed.report.tables.cells import HtmlTable, TableCell, count_cell
from tests import fabricated
from tests.report.test_page import compared


def cell(table: HtmlTable, arm: str, column: str) -> TableCell:
    names = [name for name, _ in table.header]
    return next(row[names.index(column)] for row in table.rows if row[0].text == arm)


def test_a_world_says_who_is_best_and_who_may_be(tmp_path: Path) -> None:
    summary = summarise(read([compared(tmp_path)]))
    table = results.results_table(summary, summary.comparison.worlds[0])
    assert [row[0].text for row in table.rows] == ["fedavg", "fedprox", "moon", "pooled"]
    assert [row[0].mark for row in table.rows] == ["", "best", "near", ""]
    assert cell(table, "fedprox", "test AUC") == TableCell(text="0.758", sort=pytest.approx(0.758), faint="± 0.013")
    assert cell(table, "fedavg", "minus fedavg").text == "reference"
    assert cell(table, "fedprox", "minus fedavg").text == "+0.048"
    assert cell(table, "fedprox", "seeds").sort == 5
    assert table.marked


def test_intervals_share_a_scale_on_which_a_reference_may_be_cut(tmp_path: Path) -> None:
    summary = summarise(read([compared(tmp_path)]))
    table = results.results_table(summary, summary.comparison.worlds[0])
    whiskers = [row[2].whisker for row in table.rows]
    drawn = [whisker for whisker in whiskers if whisker]
    assert all(0 <= w.low <= w.at <= w.high <= 100 for w in drawn)
    assert min(w.low for w in drawn) == 0
    assert whiskers[3] is None, "one seed has no interval"


def test_one_seed_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    fabricated.runs(tmp_path, {"fedavg": [0.7], "fedprox": [0.8]})
    summary = summarise(read([tmp_path]))
    table = results.results_table(summary, summary.comparison.worlds[0])
    assert [name for name, _ in table.header] == ["arm", "test AUC", "minus fedavg"]
    assert not table.marked


def test_an_arm_without_the_headline_is_shown_with_what_it_has(tmp_path: Path) -> None:
    fabricated.runs(tmp_path, {"fedavg": [0.7, 0.8], "moon": [0.6, 0.7]})
    local = {"strategy": {"fedavg": {"_target_": "fedmed.strategies.fedavg.FedAvg", "local": ["*"]}}}
    fabricated.run(tmp_path / "l", auc=None, config=local, final={"client.mean.auc": 0.4})
    summary = summarise(read([tmp_path]))
    table = results.results_table(summary, summary.comparison.worlds[0])
    assert cell(table, "local-only", "test AUC").text == "-"
    assert cell(table, "local-only", "mean client AUC").text == "0.400"


def test_the_overview_has_a_column_per_world(tmp_path: Path) -> None:
    summary = summarise(read([compared(tmp_path, (0.1, 1.0))]))
    table = results.overview_table(summary)
    assert [name for name, _ in table.header] == ["arm", *summary.comparison.worlds]
    assert [each.mark for each in table.rows[1][1:]] == ["best", "best"]


def test_accounts_of_clients_targets_and_runs(tmp_path: Path) -> None:
    summary = summarise(read([compared(tmp_path)]))
    world = summary.comparison.worlds[0]
    clients, targets = details.fairness_table(summary, world), details.cost_table(summary, world)
    assert clients is not None
    assert targets is not None
    assert cell(clients, "fedavg", "worst").text == "0.300"
    assert cell(targets, "fedavg", "reached by").text == "5 of 5"
    runs = details.runs_table(summary.comparison, "test.auc")
    assert (len(runs.rows), runs.rows[0][2].sort, runs.rows[-1][0].text) == (16, 0, "pooled")


def test_the_metrics_of_one_run_stand_by_scope(tmp_path: Path) -> None:
    final = {"client.worst.auc": 0.2, "client.worst.id": 3, "test.auc.low": 0.1}
    table = details.final_metrics_table(read([fabricated.run(tmp_path / "a", auc=0.8, final=final)]))
    assert [name for name, _ in table.header] == ["metric", "test", "worst client"]
    assert [row[0].text for row in table.rows] == ["AUC", "loss"]
    assert [each.text for each in table.rows[0][1:]] == ["0.800", "0.200"]


@pytest.mark.parametrize(("x", "text"), [(4.0, "4"), (4.25, "4.25"), (4.3333, "4.33"), (12345, "12345"), (None, "-")])
def test_counts(x: float | None, text: str) -> None:
    assert count_cell(x).text == text
