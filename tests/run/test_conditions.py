"""Runs under conditions: refused before data is read, resumed to the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmed.config import compose
from fedmed.errors import UserError
from fedmed.run import resume
from fedmed.rundir.checkpoint import load
from fedmed.terminal.progress import make_run_display
from tests.run.conftest import Run
from tests.toys import same

Rounds = Callable[[str], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["sampling=by_size"], "clients_per_round: expected fewer than all clients"),
        (["sampling=by_size", "clients_per_round=10"], "clients_per_round: expected fewer than all clients"),
        (["sampling.share=0.5"], "sampling.share: expected an option of the chosen sampling, got 0.5"),
        (["system.deadline=30"], "an option of the chosen system, got 30. Set system=profile."),
    ],
)
def test_what_cannot_be_is_refused_when_composed(overrides: list[str], fault: str) -> None:
    with pytest.raises(UserError) as caught:
        compose.compose(overrides)
    assert fault in str(caught.value)


def test_images_in_one_place_wait_for_no_client(run: Run, rounds: Rounds) -> None:
    network = ("failures=dropout", "failures.rate=0.9", "system=profile", "sampling=by_size", "clients_per_round=2")
    run("plain", "pooled=true")
    run("network", "pooled=true", *network)
    kept = [[{k: v for k, v in row.items() if "seconds" not in k} for row in rounds(n)] for n in ("plain", "network")]
    assert kept[0] == kept[1]
    assert [row["clients"] for row in kept[0]] == [1, 1, 1]


def test_a_trace_that_lacks_clients_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("0,1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"sampling.path: expected a line for each of 3 clients"):
        run("a", "sampling=availability", "sampling.path=trace.csv")


def test_a_run_by_a_trace_is_resumed_to_the_same_bits(run: Run, tmp_path: Path, rounds: Rounds) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,1,0,1\n1,1,0,0\n2,0,0,1\n", encoding="utf-8")
    options = ("sampling=availability", "sampling.path=trace.csv")
    run("straight", *options)
    assert [(row["asked"], row["clients"], row["loss"] is None) for row in rounds("straight")] == [
        (2, 2, False),
        (0, 0, True),
        (2, 2, False),
    ]
    run("stopped", *options, stop=2)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


def test_a_run_with_dropouts_and_a_deadline_says_who_is_missing_and_is_resumed(
    run: Run, tmp_path: Path, rounds: Rounds
) -> None:
    options = ("failures=dropout", "failures.rate=0.3", "system=profile", "system.deadline=1", "strategy=scaffold")
    final = run("straight", *options, "rounds=6", "system.seconds_per_image=0.02")
    rows = rounds("straight")
    assert all(row["clients"] + row.get("dropout", 0) + row.get("late", 0) == row["asked"] == 3 for row in rows)
    assert any("dropout" in row for row in rows)
    assert any("late" in row for row in rows)
    assert final["simulated_seconds"] == pytest.approx(sum(row["simulated_seconds"] for row in rows))
    clients = [
        json.loads(line) for line in (tmp_path / "straight" / "clients.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sum("dropout" in row for row in clients) == sum(row.get("dropout", 0) for row in rows)
    assert all((row["simulated_seconds"] > 1) == ("late" in row) for row in clients if "dropout" not in row)
    late, kept = {row["client"] for row in clients if "late" in row}, load(tmp_path / "straight" / "checkpoints")
    assert kept is not None
    assert late <= kept.clients.keys(), "who is late has trained"
    run("stopped", *options, "rounds=6", "system.seconds_per_image=0.02", stop=3)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


def test_a_run_in_which_all_drop_out_ends(run: Run, rounds: Rounds) -> None:
    final = run("lost", "failures=dropout", "failures.rate=0.99999", "scopes=[test,client,adapted]", "patience=1")
    assert [(row["clients"], row["dropout"], row["loss"]) for row in rounds("lost")] == [(0, 3, None)] * 2
    assert final["bytes.up"] == 0


def test_a_private_run_says_what_it_spent_and_is_resumed(run: Run, tmp_path: Path, rounds: Rounds) -> None:
    pytest.importorskip("dp_accounting", reason="the extra fedmed-sim[dp] is not installed")
    options = ("privacy=gaussian", "privacy.noise_multiplier=2", "clients_per_round=2")
    final = run("straight", *options)
    spent = [row["epsilon"] for row in rounds("straight")]
    assert spent == sorted(set(spent))
    assert (final["epsilon"], final["delta"]) == (spent[-1], 1e-5)
    run("stopped", *options, stop=1)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["strategy=scaffold", "dataset=npz", "dataset.path=none.npz"], "got scaffold, which weighs clients itself"),
        (["sampling=by_size", "clients_per_round=2", "dataset=npz", "dataset.path=none.npz"], "got sampling=by_size"),
        (["model.norm=batch"], "got running statistics, counters or"),
    ],
)
def test_what_privacy_cannot_cover_is_refused(run: Run, overrides: list[str], fault: str) -> None:
    pytest.importorskip("dp_accounting", reason="the extra fedmed-sim[dp] is not installed")
    with pytest.raises(UserError) as caught:
        run("refused", "privacy=gaussian", *overrides)
    assert fault in str(caught.value)


@pytest.mark.parametrize("compression", ["topk", "quantise"])
def test_a_compressed_run_is_resumed_to_the_same_bits(run: Run, tmp_path: Path, compression: str) -> None:
    options = (f"compression={compression}", "strategy=scaffold", "clients_per_round=2")
    final = run("straight", *options)
    assert final["bytes.up"] < run("plain", *options[1:])["bytes.up"]
    run("stopped", *options, stop=2)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert_same(tmp_path, "stopped", "straight")


def test_a_run_whose_trace_has_changed_is_not_resumed(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,1\n1,1\n2,1\n", encoding="utf-8")
    run("stopped", "sampling=availability", "sampling.path=trace.csv", stop=1)
    trace.write_text("0,1\n1,0\n2,1\n", encoding="utf-8")
    with pytest.raises(UserError, match="have changed"):
        resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))


def assert_same(folder: Path, one: str, other: str) -> None:
    """Two runs ended with the same weights and memories."""
    a, b = load(folder / one / "checkpoints"), load(folder / other / "checkpoints")
    assert a is not None
    assert b is not None
    assert same(a.shared, b.shared)
    assert same(a.clients, b.clients)
    assert same(a.server, b.server)
