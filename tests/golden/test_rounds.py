"""Golden runs: the numbers of every round, as they were, on any processor; and real changes do show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.runs import FILE, RUNS, SIZE, Rows, furthest, nudged, rounds

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))

CHANGES = {
    "multiclass": ("strategy.fedprox.mu=2.2",),
    "multilabel": ("optimizer.momentum=0.89",),
    "segmentation": ("optimizer.lr=0.0031",),
    "breastmnist": ("server.lr=0.97",),
}
"""Changes as small as a wrong constant, by the run that has to show them."""


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of real images, for the runs that need it."""
    name = request.node.callspec.params["name"]
    needed = any("{shared}" in option for option in RUNS[name])
    return request.getfixturevalue("shared_data") if needed else tmp_path  # type: ignore[no-any-return]


def beyond(name: str, rows: Rows) -> dict[str, float]:
    """The numbers that are further from the golden ones than their tolerance, and by how much they differ."""
    golden, tolerance = GOLDEN[name]["rounds"], GOLDEN[name]["tolerance"]
    assert len(rows) == len(golden) == 3
    return {metric: off for metric, off in furthest(rows, golden).items() if off > tolerance[metric]}


@pytest.mark.parametrize("name", RUNS)
def test_every_round_has_its_golden_numbers(name: str, shared: Path) -> None:
    assert beyond(name, rounds(name, shared)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_other_last_bits_stay_within_the_tolerance(name: str, shared: Path) -> None:
    rows = nudged(name, shared, 0.9 * SIZE)
    assert rows != GOLDEN[name]["rounds"]
    assert beyond(name, rows) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_real_change_is_seen(name: str, shared: Path) -> None:
    assert beyond(name, rounds(name, shared, *CHANGES[name]))
