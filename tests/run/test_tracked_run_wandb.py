"""Runs told to the real Weights & Biases, offline: read back from the files that it would send."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fedmed.run import resume
from fedmed.terminal.progress import make_run_display
from tests.run.traces import trace

pytestmark = pytest.mark.slow
wandb = pytest.importorskip("wandb", reason="Weights & Biases is not installed (make tracking)")


def records(folder: Path) -> list[Any]:
    """What every session of a run keeps for sending, in order; the last one must have ended."""
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record

    files, deadline = sorted(folder.glob("wandb/offline-run-*/*.wandb")), time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(DecodeError):  # a process of wandb's own may still be writing records
            found = [[Record.FromString(text) for text in texts(file.read_bytes())] for file in files]
            if any(record.HasField("exit") for record in found[-1]):
                return [record for session in found for record in session]
        time.sleep(0.2)
    raise AssertionError(f"{files[-1]} has no end")


def texts(content: bytes) -> Iterator[bytes]:
    """The records of a file: a header of 7 bytes, then LevelDB's log format, in blocks of 32 kB."""
    at, record = 7, b""
    while at + 7 <= len(content):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        _, size, kind = struct.unpack_from("<IHB", content, at)
        record += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or its last part
            yield record
            record = b""


def steps(folder: Path, name: str) -> list[tuple[int, float]]:
    found = []
    for record in records(folder):
        items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
        if name in items:
            found.append((record.history.step.num, json.loads(items[name])))
    return found


def test_a_run_is_kept_for_sending_with_all_that_is_told_of_it(run: Any, rounds: Any, tmp_path: Path) -> None:
    run("run", "strategy=fedprox", "tracking=wandb", "tracking.group=all")
    folder = tmp_path / "run"
    assert steps(folder, "test/auc") == [(row["round"], row["test.auc"]) for row in rounds("run")]
    (kept,) = [record.run for record in records(folder) if record.HasField("run")]
    assert (kept.run_group, kept.display_name, kept.project) == ("all", "run", "fedmed")
    assert "strategy=fedprox" in kept.tags
    saved = {file.path for record in records(folder) for file in record.files.files}
    assert saved >= {"fedmed/config.yaml", "fedmed/final.json"}
    (files,) = folder.glob("wandb/offline-run-*/files")
    for name in ("config.yaml", "final.json"):
        assert (files / "fedmed" / name).read_bytes() == (folder / name).read_bytes()


def test_a_run_that_goes_on_has_each_round_once(run: Any, tmp_path: Path) -> None:
    run("run", "checkpoint_every=2", "rounds=4", "tracking=wandb", stop=3)
    resume(tmp_path / "run", overrides=[], show=make_run_display(quiet=True))
    assert [step for step, _ in steps(tmp_path / "run", "loss")] == [1, 2, 3, 4]
    ids = {record.run.run_id for record in records(tmp_path / "run") if record.HasField("run")}
    assert len(ids) == 1


def test_telling_changes_no_bit(run: Any, tmp_path: Path) -> None:
    run("alone", "strategy=scaffold")
    run("told", "strategy=scaffold", "tracking=wandb")
    assert trace(tmp_path / "told") == trace(tmp_path / "alone")
