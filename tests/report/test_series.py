from __future__ import annotations

import json
from pathlib import Path

import pytest

from fedmed.comparison.runs import ComparedRun
from fedmed.report import series


def made(folder: Path, **rows: list[dict[str, object]]) -> ComparedRun:
    folder.mkdir()
    for kind, found in rows.items():
        (folder / f"{kind}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return ComparedRun(path=folder, seed=0, config={}, final={})


def rounds(*values: float | None) -> list[dict[str, object]]:
    return [{"round": n, "test.auc": v, "bytes.up": 1e6, "bytes.down": 2e6} for n, v in enumerate(values, 1)]


def test_a_band_is_over_runs_and_shared_rounds(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "a", rounds=rounds(0.1, None, 0.3, 0.4)),
        made(tmp_path / "b", rounds=rounds(0.3, 0.2, 0.5)),
    ]
    band = series.by_round(runs, "test.auc")
    assert band is not None
    assert (band.x.tolist(), band.mean.tolist()) == ([1, 3], pytest.approx([0.2, 0.4]))
    assert (band.low.tolist(), band.high.tolist()) == ([0.1, 0.3], [0.3, 0.5])


def test_one_evaluation_is_no_line(tmp_path: Path) -> None:
    assert series.by_round([made(tmp_path / "a", rounds=rounds(None, 0.2))], "test.auc") is None
    assert series.by_round([], "test.auc") is None


def test_bytes_add_up_over_rounds_without_an_evaluation(tmp_path: Path) -> None:
    band = series.by_bytes([made(tmp_path / "a", rounds=rounds(0.1, None, 0.3))], "test.auc")
    assert band is not None
    assert band.x.tolist() == [3, 9]


def test_clients_are_told_by_their_last_evaluation(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"round": 1, "client": 0, "client.auc": 0.1},
        {"round": 2, "client": 0, "client.auc": 0.2},
        {"round": 2, "client": 1, "client.auc": 0.3},
        {"round": 3, "client": 1, "loss": 1},
    ]
    assert series.at_clients(made(tmp_path / "a", clients=rows), "client.auc") == {0: 0.2, 1: 0.3}


def test_audited_quantities_are_means_or_sums_per_client(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"round": n, "client": c, "m.sent.0": 1.0 * n, "m.sent.1": 3.0} for n in (1, 2) for c in (0, 1)
    ]
    run = made(tmp_path / "a", audit=rows)
    mean, total = (series.audited([run], ["m.sent.0", "m.sent.1"], total=total) for total in (False, True))
    assert mean is not None
    assert total is not None
    assert (mean.mean.tolist(), total.mean.tolist()) == ([2, 2.5], [4, 5])


def test_pairs_are_the_last_of_each_client(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"round": 1, "client": 0, "completeness": 0.5, "m.indicator": 0.9},
        {"round": 2, "client": 0, "completeness": 0.5, "m.indicator": 0.6},
        {"round": 3, "client": 0, "completeness": 0.5},
    ]
    assert series.last_pairs([made(tmp_path / "a", audit=rows)], "completeness", "m.indicator").tolist() == [[0.5, 0.6]]
