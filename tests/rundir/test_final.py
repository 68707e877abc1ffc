import math
from pathlib import Path
from typing import Any

from fedmed.rundir.final import best_round, diverged, measured, summarise

ROUNDS: list[dict[str, Any]] = [
    {"round": 1, "loss": 0.9, "seconds": 3.0, "bytes.up": 10, "bytes.down": 20},
    {"round": 2, "seconds": 1.0, "bytes.up": 10, "bytes.down": 20, "test.auc": 0.8, "test.loss": 0.5, "val.auc": 0.9}
    | {"client.mean.auc": 0.7, "client.worst.auc": 0.3, "val.loss": 0.2},
    {"round": 3, "seconds": 1.2, "bytes.up": 10, "bytes.down": 20},
    {"round": 4, "seconds": 1.1, "bytes.up": 10, "bytes.down": 20, "test.auc": None},
    {"round": 5, "seconds": 1.1, "bytes.up": 10, "bytes.down": 20, "test.auc": 0.7, "test.loss": 0.4, "val.auc": 0.6}
    | {"client.mean.auc": 0.65, "client.worst.auc": 0.4, "client.worst.loss": 2.5, "val.loss": 0.1},
]
CLIENTS: list[dict[str, Any]] = [
    {"round": 2, "client": 8, "client.auc": 0.1},
    {"round": 5, "client": 0, "client.auc": 0.9, "client.loss": 2.5},
    {"round": 5, "client": 7, "client.auc": 0.4, "client.loss": 0.1},
    {"round": 5, "client": 9, "client.auc": None, "client.loss": math.nan},
    {"round": 4, "client": 0, "loss": 0.3},
]


def summary(metric: str = "auc") -> dict[str, Any]:
    return summarise(ROUNDS, CLIENTS, metric=metric, seconds=7.5, directory=Path("runs/one"))


def test_the_last_round_gives_the_final_metrics() -> None:
    final = summary()
    assert (final["test.auc"], final["test.loss"], final["client.mean.auc"]) == (0.7, 0.4, 0.65)
    assert (final["client.worst.auc"], final["client.worst.id"]) == (0.4, 7)


def test_a_last_round_without_a_value_gives_no_final_metric_and_is_told_to_have_none() -> None:
    undefined = [*ROUNDS[:3], ROUNDS[3] | {"test.loss": None}]
    final = summarise(undefined, CLIENTS, metric="auc", seconds=7.5, directory=Path("runs/one"))
    assert not [name for name in final if name.startswith(("test.", "client.mean"))]
    assert not measured(final)
    assert not diverged(final)
    assert diverged(final | {"test.loss": None})
    assert not diverged(final | {"test.loss": None, "test.auc": 0.5})
    assert final["best.round"] == 2


def test_the_best_round_is_chosen_by_validation_and_reports_its_own_test() -> None:
    final = summary()
    assert (final["best.round"], final["best.val.auc"], final["best.test.auc"]) == (2, 0.9, 0.8)


def test_a_loss_is_better_when_lower() -> None:
    final = summary("loss")
    assert final["best.round"] == 5
    assert final["client.worst.id"] == 0


def test_costs_are_totals_and_a_median() -> None:
    final = summary()
    assert (final["bytes.up"], final["bytes.down"], final["rounds"], final["seconds"]) == (50, 100, 5, 7.5)
    assert final["seconds.per_round"] == 1.1
    assert final["directory"] == "runs/one"


def test_ties_go_to_the_earlier_round_and_undefined_values_do_not_count() -> None:
    rows = [{"round": r, "val.auc": v} for r, v in enumerate([None, math.nan, 0.5, 0.5], 1)]
    best = best_round(rows, "auc")
    assert best is not None
    assert best["round"] == 3
    assert best_round(rows[:2], "auc") is None


def test_a_run_without_evaluation_or_rounds() -> None:
    bare = summarise(ROUNDS[:1], [], metric="auc", seconds=1, directory=Path("d"))
    assert (bare["best.round"], bare["client.worst.id"]) == (None, None)
    assert not any(name.startswith("test.") for name in bare)
    none = summarise([], [], metric="auc", seconds=0, directory=Path("d"))
    assert (none["rounds"], none["seconds.per_round"]) == (0, None)


def test_the_best_round_by_true_validation_labels_is_reported_for_audit_only(tmp_path):
    rows = [
        {"round": 1, "seconds": 1.0, "test.auc": 0.6, "val.auc": 0.9, "audit.auc": 0.5},
        {"round": 2, "seconds": 1.0, "test.auc": 0.8, "val.auc": 0.7, "audit.auc": 0.8},
    ]
    final = summarise(rows, [], metric="auc", seconds=2.0, directory=tmp_path)
    assert (final["best.round"], final["best.test.auc"]) == (1, 0.6)
    assert (final["audit.best.round"], final["audit.best.test.auc"]) == (2, 0.8)
    assert "audit.best.round" not in summarise(
        [{**row, "audit.auc": None} for row in rows], [], metric="auc", seconds=2.0, directory=tmp_path
    )
