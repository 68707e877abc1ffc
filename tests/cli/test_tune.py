from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from fedmed.cli.main import main
from tests.tuning.test_result import found, tuning


def test_faults_exit_with_2_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "strategy=fedprox", "strategy.mu=1..0"]) == 2
    assert "strategy.mu: expected a range from a lower to a higher number" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_was_found_is_a_table_and_how_to_compare_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    results = tuning(found("fedavg", "epochs=2"), found("scaffold"))
    monkeypatch.setattr("fedmed.tuning.tune.tune", lambda plan, **_: results)
    assert main(["tune", "epochs=1,2"]) == 1
    printed = capsys.readouterr().out
    assert "strategy=fedavg experiment=smoke" in printed
    assert "none; the last one failed: it broke" in printed
    assert main(["tune", "epochs=1,2", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["strategies"]["fedavg"]["overrides"] == ["epochs=2"]


@pytest.mark.slow
def test_a_search_from_the_command_to_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["tune", "experiment=smoke", "strategy=fedprox", "strategy.mu=0.001..1:log", "optimizer.lr=0.01..1000:log"]
    assert main([*words, "budget=3", "--workers", "2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["strategies"]["fedprox"]["trials"] == 3
    assert printed["strategies"]["fedprox"]["failed"] > 0
    kept = list(Path(printed["directory"]).glob("runs/*/final.json"))
    assert printed["strategies"]["fedprox"]["value"] == max(
        json.loads(file.read_text(encoding="utf-8"))["val.auc"] for file in kept
    )
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json*")}
    assert main([*words, "budget=3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == printed
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json*")} == before
