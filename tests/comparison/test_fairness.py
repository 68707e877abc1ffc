"""How evenly clients fare, by hand."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import pytest

from fedmed.comparison.fairness import client_row, jain, last_values
from fedmed.comparison.read import read
from fedmed.comparison.rows import ClientRow
from tests.fabricated import run


def test_jains_index() -> None:
    assert jain([1, 1, 1, 1]) == 1.0
    assert jain([1, 0, 0, 0]) == 0.25
    assert jain([1, 2, 3]) == pytest.approx(36 / (3 * 14))
    assert jain([0, 0]) == 1.0
    assert jain([10, 20, 30]) == pytest.approx(jain([3, 1, 2]))  # neither scale nor order matters


def _row(folder: Path, greater: bool = True) -> ClientRow | None:
    runs = [*read([folder]).runs.values()]
    return client_row(runs, world="w", arm="a", metric="auc", greater=greater, federated=True)


def test_a_run_by_hand(tmp_path: Path) -> None:
    run(tmp_path / "a", clients=[0.2, 0.4, 0.9])
    row = _row(tmp_path)
    assert row is not None
    assert (row.n, row.clients, row.worst) == (1, 3, 0.2)
    assert row.mean == pytest.approx(0.5)
    assert row.sd == pytest.approx(sqrt((0.09 + 0.01 + 0.16) / 3))
    assert row.jain == pytest.approx(2.25 / (3 * 1.01))
    # numpy's linear quantiles of three: .2 + .1 * 2 * (.4 - .2) = .24 at 10 %, .4 + .8 * .5 = .8 at 90 %
    assert (row.deciles[0], row.deciles[4], row.deciles[8]) == pytest.approx((0.24, 0.4, 0.8))


def test_the_last_round_with_values_counts(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", clients=[0.2, 0.4])
    with (folder / "clients.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"round": 3, "client": 0, "loss": 1.0}\n{"round": 3, "client": 1, "client.auc": null}\n')
    [only] = read([folder]).runs.values()
    assert last_values(only, "auc") == [0.2, 0.4]


def test_quantities_are_means_over_runs_and_not_of_pooled_clients(tmp_path: Path) -> None:
    run(tmp_path / "a", seed=0, clients=[0.2, 0.4])
    run(tmp_path / "b", seed=1, clients=[0.6, 0.8])
    row = _row(tmp_path)
    assert row is not None
    assert (row.n, row.sd, row.worst) == (2, pytest.approx(0.1), pytest.approx(0.4))


def test_of_a_loss_the_worst_is_the_largest(tmp_path: Path) -> None:
    run(tmp_path / "a", clients=[0.2, 0.4, 0.9])
    row = _row(tmp_path, greater=False)
    assert row is not None
    assert row.worst == 0.9


def test_one_client_has_no_spread(tmp_path: Path) -> None:
    run(tmp_path / "a", clients=[0.2])
    assert _row(tmp_path) is None
