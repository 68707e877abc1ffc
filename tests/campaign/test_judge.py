"""What runs will be judged by is checked before any of them is made."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import pytest

from fedmed.campaign.judge import check_metric, higher_is_better, judged_over_clients
from fedmed.cli.main import main
from fedmed.errors import UserError
from fedmed.tuning.plan import read

OWN = """
from fedmed.metrics import higher_is_better, lower_is_better

@lower_is_better
def off_by(p, y, seen):
    return 0.0

@higher_is_better
def hits(p, y, seen):
    return 0.0

def silent(p, y, seen):
    return 0.0
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")


CONFIGS: list[dict[str, Any]] = [{}, {"metrics": ["own.py:off_by", "own.py:silent"]}, {"metrics": ["own.py:hits"]}]


@pytest.mark.parametrize(("metric", "higher"), [("auc", True), ("loss", False), ("off_by", False), ("hits", True)])
def test_the_direction_is_the_declared_one(metric: str, higher: bool) -> None:
    assert higher_is_better("--metric", metric, CONFIGS) is higher


def test_a_scope_is_checked_before_any_run() -> None:
    check_metric("--metric", "client.worst.off_by", CONFIGS)
    with pytest.raises(UserError, match=r"got clients.worst.auc. Did you mean client.worst.auc"):
        check_metric("--metric", "clients.worst.auc", CONFIGS)


def test_validation_of_clients_is_that_of_the_last_round_where_it_is_defined() -> None:
    rows = [
        {"round": 1, "client": 0, "val.loss": 1.0, "val.auc": 0.1},
        {"round": 2, "client": 0, "val.loss": 1.0, "val.auc": 0.5},
        {"round": 2, "client": 1, "val.loss": 3.0, "val.auc": None},
        {"round": 2, "client": 2, "val.loss": 2.0, "val.auc": 0.9},
    ]
    assert judged_over_clients(rows, "auc", "client.worst", higher=True) == ("client.worst.val.auc", 0.5)
    assert judged_over_clients(rows, "auc", "client.mean", higher=True)[1] == pytest.approx(0.7)
    assert judged_over_clients(rows, "loss", "client.worst", higher=False)[1] == 3.0
    assert isnan(judged_over_clients(rows, "f1", "client.mean", higher=True)[1])
    with pytest.raises(UserError, match=r"Raise dataset.val"):
        judged_over_clients([{"round": 1, "client": 0, "client.auc": 0.5}], "auc", "client.mean", higher=True)


def test_what_says_no_direction_or_is_no_metric_is_refused_with_what_to_write() -> None:
    with pytest.raises(UserError, match=r"declares which way .* got silent, .* @lower_is_better above `def silent`"):
        higher_is_better("--metric", "silent", CONFIGS)
    with pytest.raises(UserError, match=r"--metric: expected a metric of these runs, got of_by\. Did you mean off_by"):
        higher_is_better("--metric", "of_by", CONFIGS)


def test_a_tuning_minimises_what_should_fall_and_refuses_what_does_not_say() -> None:
    search = ("optimizer.lr=0.01..0.1", "metrics=[own.py:off_by,own.py:silent]")
    assert not read([*search, "metric=off_by"]).greater
    assert read(search).greater
    with pytest.raises(UserError, match="metric: expected a metric that declares which way it improves, got silent"):
        read([*search, "metric=silent"])


@pytest.mark.parametrize("metric", ["silent", "test.silent", "acuracy"])
def test_a_comparison_is_refused_before_its_runs_are_made(metric: str, tmp_path: Path) -> None:
    given = ["compare", "strategy=fedavg", "seed=0", "metrics=[own.py:silent]", "--metric", metric, "--runs", "made"]
    assert main(given) == 2
    assert not (tmp_path / "made").exists()
