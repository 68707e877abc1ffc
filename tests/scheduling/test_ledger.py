"""The ledger: what its rows mean, that nobody else writes it meanwhile, and what damage is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedmed.errors import UserError
from fedmed.scheduling.jobs import Block, Job, JobsFile
from fedmed.scheduling.ledger import conflicts, epsilon_text, grant_row, ledger_copy, open_ledger

JOB = Job(name="j", analyst="x", demand={"a": 1.0})
FOUND = JobsFile(blocks=(Block("a", 3.0, "a"),), jobs=(JOB,))
GRANT = grant_row(JOB, time=0.0, utility=0.5, left={"a": 2.0}, directory="runs/j")
PERIOD = {"kind": "period", "time": 0.0, "policy": "fcfs"}
REFUSAL = {"kind": "refusal", "time": 0.0, "job": "k", "analyst": "x", "why": "too late"}
SETTLED = {"kind": "settlement", "time": 0.0, "job": "j", "spent": {"a": 0.25}, "rounds": 3, "status": "finished"}


def kept(path: Path, *rows: dict[str, Any], found: JobsFile = FOUND) -> None:
    with open_ledger(path, found) as ledger:
        ledger.add(rows)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_grant_counts_in_full_until_it_settles(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.jsonl"
    kept(path, GRANT, REFUSAL, PERIOD)
    with open_ledger(path, FOUND) as ledger:
        assert ledger.spent(FOUND).tolist() == [[1.0]]
        assert [grant.job for grant in ledger.state.pending] == ["j"]
        assert ledger.state.decided == {"j", "k"}
        assert ledger.state.time == 0.0
        ledger.add([SETTLED])
        assert ledger.spent(FOUND).tolist() == [[0.25]]
        assert ledger.state.pending == []
    with open_ledger(path, FOUND) as ledger:
        assert ledger.spent(FOUND).tolist() == [[0.25]]
    assert [row["kind"] for row in lines(path)] == ["ledger", "grant", "refusal", "period", "settlement"]


def test_decisions_of_a_period_that_was_cut_short_are_void(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    kept(path, GRANT)
    with open_ledger(path, FOUND) as ledger:
        assert ledger.state.grants == {}
        ledger.add([PERIOD])
        assert ledger.state.grants == {}  # it closes a period of its own
    assert [row["kind"] for row in lines(path)] == ["ledger", "grant", "void", "period"]


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    kept(path, GRANT, PERIOD)
    before = path.read_bytes()
    path.write_bytes(before + b'{"kind": "settlement", "jo')
    with open_ledger(path, FOUND) as ledger:
        assert ledger.spent(FOUND).tolist() == [[1.0]]
    assert path.read_bytes() == before
    path.write_bytes(before[:9])
    with open_ledger(path, FOUND) as ledger:
        assert ledger.state.grants == {}


def test_a_copy_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with ledger_copy(path, FOUND) as ledger:
        ledger.add([GRANT, PERIOD])
        assert ledger.state.grants
    assert not path.exists()
    kept(path, GRANT, PERIOD)
    before = path.read_bytes()
    with ledger_copy(path, FOUND) as ledger:
        ledger.add([SETTLED])
    assert path.read_bytes() == before


def test_another_process_cannot_open_it_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = (
        "import sys; from pathlib import Path\n"
        "from fedmed.scheduling.jobs import Block, JobsFile\n"
        "from fedmed.scheduling.ledger import open_ledger\n"
        "with open_ledger(Path(sys.argv[1]), JobsFile(blocks=(Block('a', 3.0, 'a'),))):\n"
        "    print('open', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(UserError, match="expected a ledger that no other process uses, got one in use"):
            kept(path, GRANT)
        other.kill()
    kept(path, GRANT, PERIOD)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: expected a row of a ledger, got damaged text"),
        ("[]", "line 2: expected a row of a ledger, got damaged text"),
        ('{"kind": "gift"}', "line 2: expected a row of a ledger, got damaged text"),
        (json.dumps(GRANT | {"granted": {"a": -1}}), "got a damaged grant"),
        (json.dumps(GRANT | {"job": 3}), "got a damaged grant"),
        (json.dumps({**SETTLED, "spent": {"a": "all"}}), "got a damaged settlement"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "ledger.jsonl"
    kept(path)
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        kept(path)
    assert words in str(caught.value)
    assert "nobody knows what has been spent" in str(caught.value)


def test_another_delta_accounting_or_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    kept(path)
    for other in (replace(FOUND, delta=1e-6), replace(FOUND, accounting="renyi")):
        with pytest.raises(UserError, match="expected a ledger with accounting"):
            kept(path, found=other)
    path.write_text(path.read_text(encoding="utf-8").replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(UserError, match="expected format 1, got 2"):
        kept(path)
    path.write_text(json.dumps(PERIOD) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="expected format 1"):
        kept(path)


def test_a_granted_job_cannot_ask_for_something_else(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    kept(path, GRANT, PERIOD)
    changed = replace(FOUND, jobs=(replace(JOB, demand={"a": 2.0}),))
    with open_ledger(path, FOUND) as ledger:
        assert list(conflicts(ledger.state, FOUND, path)) == []
        (fault,) = conflicts(ledger.state, changed, path)
    assert fault.where == "jobs.j.demand"
    assert fault.got == "a 2"


def test_epsilons_as_text() -> None:
    assert epsilon_text({"a": 1.0, "b": 0.5}) == "a 1, b 0.5"
    assert epsilon_text(dict.fromkeys("abcd", 0.25)) == "0.25 of each of 4 blocks"
    assert epsilon_text({}) == "nothing"


def test_it_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "ledger.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        kept(tmp_path / "ledger.jsonl")
