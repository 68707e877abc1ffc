"""Runs under conditions: refused before data is read, resumed to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmed import runner
from fedmed.config import compose
from fedmed.errors import UserError
from fedmed.results.checkpoint import load
from fedmed.results.progress import make_show
from tests.runner.conftest import Run
from tests.toys import same

Rounds = Callable[[str], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["sampling=by_size"], "clients_per_round: expected fewer than all clients"),
        (["sampling=by_size", "clients_per_round=10"], "clients_per_round: expected fewer than all clients"),
        (["sampling.share=0.5"], "sampling.share: expected an option of sampling"),
    ],
)
def test_what_cannot_be_is_refused_when_composed(overrides: list[str], fault: str) -> None:
    with pytest.raises(UserError) as caught:
        compose.compose(overrides)
    assert fault in str(caught.value)


def test_a_trace_that_lacks_clients_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("0,1\n")
    with pytest.raises(UserError, match=r"sampling.path: expected a line for each of 3 clients"):
        run("a", "sampling=availability", "sampling.path=trace.csv")


def test_a_run_by_a_trace_is_resumed_to_the_same_bits(run: Run, tmp_path: Path, rounds: Rounds) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,1,0,1\n1,1,0,0\n2,0,0,1\n")
    options = ("sampling=availability", "sampling.path=trace.csv")
    run("straight", *options)
    assert [(row["asked"], row["clients"], row["loss"] is None) for row in rounds("straight")] == [
        (2, 2, False),
        (0, 0, True),
        (2, 2, False),
    ]
    run("stopped", *options, stop=2)
    runner.resume(tmp_path / "stopped", overrides=[], show=make_show(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


@pytest.mark.parametrize("compression", ["topk", "quantise"])
def test_a_compressed_run_is_resumed_to_the_same_bits(run: Run, tmp_path: Path, compression: str) -> None:
    options = (f"compression={compression}", "strategy=scaffold", "clients_per_round=2")
    final = run("straight", *options)
    assert final["bytes.up"] < run("plain", *options[1:])["bytes.up"]
    run("stopped", *options, stop=2)
    runner.resume(tmp_path / "stopped", overrides=[], show=make_show(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


def test_a_run_whose_trace_has_changed_is_not_resumed(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,1\n1,1\n2,1\n")
    run("stopped", "sampling=availability", "sampling.path=trace.csv", stop=1)
    trace.write_text("0,1\n1,0\n2,1\n")
    with pytest.raises(UserError, match="have changed"):
        runner.resume(tmp_path / "stopped", overrides=[], show=make_show(quiet=True))


def assert_same(folder: Path, one: str, other: str) -> None:
    """Two runs ended with the same weights and memories."""
    a, b = load(folder / one / "checkpoints"), load(folder / other / "checkpoints")
    assert a is not None
    assert b is not None
    assert same(a.shared, b.shared)
    assert same(a.clients, b.clients)
    assert same(a.server, b.server)
