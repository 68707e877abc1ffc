"""`fedmed schedule`: its words, its output and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fedmed.cli.main import main

JOBS = """\
blocks: {north: 20, south: 20}
jobs:
  - {name: x1, analyst: x, demand: {north: 12}}
  - {name: y1, analyst: y, demand: 9}
"""
TINY = "run: [dataset.images=60, dataset.test_images=12, dataset.side=16, rounds=1, model.width=4]\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDMED_RUNS", raising=False)
    Path("jobs.yaml").write_text(JOBS, encoding="utf-8")


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["schedule", *arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_it_decides_and_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    text = output_of(capsys, "jobs.yaml", "policy=fcfs", "--dry-run")
    assert "x1   x        granted  north 12" in text
    assert "y1   y        waits" in text
    assert not Path("ledger.jsonl").exists()
    found = json.loads(output_of(capsys, "jobs.yaml", "--ledger", "kept.jsonl", "--json"))
    assert [row["status"] for row in found["jobs"]] == ["waits", "granted"]
    assert found["blocks"][0] == {"block": "north", "capacity": 20.0, "left": 11.0}
    assert Path("kept.jsonl").exists()


def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("jobs.yaml").write_text(TINY + JOBS, encoding="utf-8")
    found = json.loads(output_of(capsys, "jobs.yaml", "--run", "--json"))
    assert found["jobs"][1]["status"] == "finished"
    assert Path("runs/schedule").is_dir()


def test_a_failed_run_is_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    run = "run: [dataset=npz, dataset.path=none.npz]\n"
    Path("jobs.yaml").write_text(run + JOBS, encoding="utf-8")
    assert "x1 failed: " in output_of(capsys, "jobs.yaml", "--run", "-q", code=1)


def test_it_compares(capsys: pytest.CaptureFixture[str]) -> None:
    text = output_of(capsys, "--compare", "seeds=1", "jobs=2", "beta=1,2", "--output", "out")
    assert max(map(len, text.splitlines())) <= 80
    assert [word for word in ("dpbalance beta=2", "fcfs", "incentive", "100 %") if word not in text] == []
    assert Path("out/tradeoff.svg").is_file()
    assert Path("out/tradeoff.png").is_file()
    found = json.loads(output_of(capsys, "jobs.yaml", "--compare", "--json"))
    assert {row["policy"] for row in found["policies"]} >= {"dpbalance beta=1", "dpack", "fcfs"}
    assert not Path("ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "fedmed schedule: expected one jobs file, got none"),
        (["a.yaml", "b.yaml"], "expected one jobs file, got a.yaml b.yaml"),
        (["jobs.yaml", "--compare", "--run"], "--compare: expected neither --run nor --dry-run"),
        (["jobs.yaml", "--compare", "seeds=2"], "expected a jobs file or options of synthetic jobs"),
        (["none.yaml"], "none.yaml: expected a jobs file, got No such file"),
        (["jobs.yaml", "policy=none"], "expected the name of a policy"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert message in output_of(capsys, *words, code=2)


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["schedule", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert [word for word in ("jobs.yaml", "--dry-run", "--compare", "capacity", "patience") if word not in text] == []
