"""Weights of jobs: given, or the validation loss of a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.rundir.directory import RunDirectory
from fedmed.scheduling.reading import weight_of


def run_with(folder: Path, *rows: dict[str, float]) -> Path:
    kept = RunDirectory.create(folder / "run", config_yaml="", identity="x", environment={})
    kept.append("rounds", [{"round": at, "loss": 1.0, "seconds": 1.0, **row} for at, row in enumerate(rows, 1)])
    return kept.path


def test_a_loss_is_a_weight_as_it_is() -> None:
    assert weight_of(0.7, "loss") == 0.7


def test_of_a_run_it_is_the_last_validation_loss(tmp_path: Path) -> None:
    path = run_with(tmp_path, {"val.loss": 0.9}, {"val.loss": 0.4}, {})
    assert weight_of(f"from={path}", "loss") == 0.4


@pytest.mark.parametrize("loss", [0, -1, True, "much", float("nan"), None])
def test_what_is_no_loss_is_refused(loss: object) -> None:
    with pytest.raises(UserError, match="loss: expected a number > 0, or from=<run directory>"):
        weight_of(loss, "loss")


def test_a_run_without_one_and_no_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a run that has a validation loss"):
        weight_of(f"from={run_with(tmp_path, {})}", "loss")
    with pytest.raises(UserError, match="a run directory"):
        weight_of(f"from={tmp_path / 'none'}", "loss")
