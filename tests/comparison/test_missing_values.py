"""What figures rest on is told beside them, and nothing is ranked by what leaves failures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.rows import Row, Summary
from fedmed.comparison.summary import summarise
from fedmed.report import page
from fedmed.report.tables import files
from fedmed.terminal import comparison as terminal
from tests.fabricated import run, strategy

WORLD = "synthetic_multiclass"


def arm(folder: Path, name: str, finals: Sequence[dict[str, Any]], clients: Sequence[dict[str, Any]] = ()) -> None:
    for seed, final in enumerate(finals):
        made = run(folder / f"{name}{seed}", seed=seed, auc=None, config={"strategy": strategy(name)}, final=final)
        (made / "clients.jsonl").write_text("".join(json.dumps(row) + "\n" for row in clients), encoding="utf-8")


def distances(hd95: float, found: int | None, of: int = 40) -> list[dict[str, Any]]:
    counts = {} if found is None else {"test.hd95.defined": found, "test.hd95.of": of}
    return [{"test.hd95": hd95 + seed / 100, **counts, "test.hd95_penalised": 30 - hd95} for seed in range(5)]


def headline(summary: Summary) -> dict[str, Row]:
    return {row.arm: row for row in summary.rows if row.metric == summary.headline}


@pytest.mark.parametrize("found", [1, None])
def test_whoever_finds_least_is_not_the_best_by_distance(tmp_path: Path, found: int | None) -> None:
    arm(tmp_path, "fedavg", distances(3.0, 38))
    arm(tmp_path, "fedprox", distances(0.0, found))
    arm(tmp_path, "scaffold", distances(2.0, 40))
    summary = summarise(read([tmp_path], metric="hd95"))
    rows = headline(summary)
    assert {row.mark for row in rows.values()} == {""}
    assert (rows["fedavg"].defined, rows["fedavg"].of) == (38, 40)
    assert any("Nothing is marked or ranked by test.hd95" in note for note in summary.notes)
    assert "test.hd95 in synthetic_multiclass is not defined everywhere" in " ".join(summary.notes)
    text = terminal.comparison_text(summary)
    assert "38 of 40" in text
    assert "*" not in text
    files.write_summary(summary, tmp_path / "out")
    assert "38.0,40.0" in (tmp_path / "out/summary.csv").read_text(encoding="utf-8")
    assert "(38 of 40)" in (tmp_path / "out/summary.tex").read_text(encoding="utf-8")
    html = page.write_summary(summary, tmp_path / "out").read_text(encoding="utf-8")
    assert "(38 of 40)" in html
    assert "nothing is ranked by it" in html
    penalised = headline(summarise(read([tmp_path], metric="hd95_penalised")))
    assert [name for name, row in penalised.items() if row.mark == "best"] == ["fedavg"]


def test_distances_rank_where_every_mask_was_found(tmp_path: Path) -> None:
    arm(tmp_path, "fedavg", distances(3.0, 40))
    arm(tmp_path, "fedprox", distances(1.0, 40))
    summary = summarise(read([tmp_path], metric="hd95"))
    assert [name for name, row in headline(summary).items() if row.mark == "best"] == ["fedprox"]
    assert "rests on" not in terminal.comparison_text(summary)


def clients(*values: float | None) -> list[dict[str, Any]]:
    rows = [{"round": 2, "client": c, "client.loss": 0.1, "client.auc": value} for c, value in enumerate(values)]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def over(value: float, defined: int) -> list[dict[str, Any]]:
    return [{"client.mean.auc": value, "client.mean.auc.defined": defined, "client.mean.auc.of": 3}] * 2


def test_means_over_other_clients_are_told_apart(tmp_path: Path) -> None:
    arm(tmp_path, "fedavg", over(0.6, 2), clients(0.5, 0.7, None))
    arm(tmp_path, "fedprox", over(0.8, 2), clients(0.7, None, 0.9))
    arm(tmp_path, "scaffold", over(0.7, 2), clients(0.6, 0.8, None))
    summary = summarise(read([tmp_path], metric="auc"))
    assert summary.headline == "client.mean.auc"
    notes = " ".join(summary.notes)
    assert "client.mean.auc in synthetic_multiclass is not over the same clients as that of fedavg: fedprox." in notes
    assert "fedavg (2 of 3)" in notes
    assert [(row.clients, row.of) for row in summary.clients] == [(2, 3)] * 3
    assert "2 of 3" in terminal.comparison_text(summary)


def test_old_runs_that_tell_nothing_are_compared_as_before(tmp_path: Path) -> None:
    for name in ("fedavg", "fedprox"):
        run(tmp_path / name, config={"strategy": strategy(name)})
    summary = summarise(read([tmp_path]))
    assert all(row.of is None for row in summary.rows)
    assert "rests on" not in terminal.comparison_text(summary)
    assert not [note for note in summary.notes if "defined everywhere" in note]
