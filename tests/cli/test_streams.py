"""What terminals that lack characters, or are gone, do to a command: nothing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fedmed.cli import streams

ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
SMALL = ("dataset.images=40", "dataset.test_images=8", "dataset.side=16", "clients=2", "rounds=1", "model.width=4")


def fedmed(folder: Path, *arguments: str, **given: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "fedmed", *(each.encode() for each in arguments)]  # whatever the locale
    return subprocess.run(command, cwd=folder, env=os.environ | ASCII, check=False, **given)  # type: ignore[call-overload, no-any-return]


def test_look_alikes_stand_for_what_an_encoding_lacks() -> None:
    streams.prepare()
    text = "Zürich · 0.5 ± 0.1 → …  ─█ 像"
    assert text.encode("ascii", "nearest") == b"Zurich . 0.5 +- 0.1 -> ...  -# ?"
    assert "±像".encode("latin-1", "nearest") == b"\xb1?"


@pytest.mark.parametrize("arguments", [["run", *SMALL], ["list", "strategies"], ["rün"]])
def test_an_ascii_terminal_ends_no_command(tmp_path: Path, arguments: list[str]) -> None:
    ended = fedmed(tmp_path, *arguments, capture_output=True)
    assert ended.returncode == (2 if arguments == ["rün"] else 0), ended.stderr
    assert (ended.stdout + ended.stderr).isascii()
    assert b"Error" not in ended.stderr


def test_a_terminal_that_is_gone_ends_no_run(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with (tmp_path / "out").open("wb") as out:
        ended = fedmed(tmp_path, "run", *SMALL, "hydra.run.dir=kept", stdout=out, stderr=theirs)
    os.close(theirs)
    assert ended.returncode == 0
    assert (tmp_path / "kept/final.json").exists()
