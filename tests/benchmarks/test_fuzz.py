"""A sample of the damaged and foreign inputs of `python -m benchmarks.fuzz`: read or refused, never a traceback."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz.__main__ import NEVER, main, run
from benchmarks.fuzz.inputs import Input, kind_of
from benchmarks.fuzz.reading import READERS, Ending, ending

SEED = 2026
COMMANDS = {"run directories", "weights", "options"}


def ended_badly(numbers: range) -> list[tuple[int, str]]:
    """The inputs that ended as none must, and what they wrote."""
    return [(number, end.output) for number in numbers if (end := run(SEED, number)[1]).how in NEVER]


def test_inputs_of_every_kind_are_read_or_refused() -> None:
    numbers = range(90)
    assert {kind_of(SEED, number) for number in numbers} >= {"damaged bytes", "foreign arrays", *COMMANDS}
    assert ended_badly(numbers) == []


@pytest.mark.slow
def test_many_more_of_them() -> None:
    assert ended_badly(range(90, 1500)) == []


def test_what_must_never_be_is_told_from_a_refusal(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=np.zeros((40, 16, 16), np.uint8), labels=np.arange(40) % 2)
    case = Input("sound", "dataset", tmp_path / "own.npz")
    assert ending(case).how == "read"
    assert ending(case._replace(path=tmp_path / "none.npz")).how == "refused"
    assert ending(case._replace(option="no such reader")).how == "traceback"


def test_an_input_that_ends_badly_is_shown_with_its_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.fuzz.__main__.resource.setrlimit", lambda *_: None)
    monkeypatch.setattr("benchmarks.fuzz.__main__.run", lambda seed, number: ("weights", Ending("traceback", "boom")))
    monkeypatch.setattr("sys.argv", ["fuzz", "--inputs", "2"])
    assert main() == 1
    printed = capsys.readouterr().out
    assert printed.startswith("input 0 (weights): traceback\nboom\n")
    assert '"traceback": 2' in printed


@pytest.mark.parametrize("body", ["time.sleep(60)", "while True: pass"])
def test_an_input_that_waits_or_computes_for_ever_is_a_hang(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz.reading.LIMIT", 0.2)
    monkeypatch.setattr("benchmarks.fuzz.reading.PATIENCE", 0.2 if "sleep" in body else 60.0)
    monkeypatch.setitem(READERS, "dataset", lambda path: exec(body, {"time": time}))
    assert ending(Input("sound", "dataset", Path())).how == "hang"
