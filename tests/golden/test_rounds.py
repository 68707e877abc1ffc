"""Golden runs: the numbers of every round, as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.runs import FILE, RUNS, rounds

TOLERANCE = {"loss": 0.005, "auc": 0.01, "map": 0.01, "accuracy": 0.021, "dice": 0.01, "iou": 0.01}
"""How far a number may be from the golden one: other processors round otherwise; 0.021 is two images of 100."""

GOLDEN = json.loads(FILE.read_text())


@pytest.mark.parametrize("name", RUNS)
def test_every_round_has_its_golden_numbers(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shared = request.getfixturevalue("shared_data") if any("{shared}" in option for option in RUNS[name]) else tmp_path
    found = rounds(name, tmp_path / "run", shared)
    assert len(found) == len(GOLDEN[name]) == 3
    for number, (row, golden) in enumerate(zip(found, GOLDEN[name], strict=True), 1):
        for metric, value in golden.items():
            tolerance = TOLERANCE[metric.rpartition(".")[2]]
            assert row[metric] == pytest.approx(value, abs=tolerance), f"{metric} of round {number}"
