"""The command as a shell starts it: what goes wrong there is a word and an exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fedmed.cli.main import COMMANDS
from tests.fresh import Command

WRONG = {
    "export": ["nowhere", "--out", "."],
    "models": ["convert", "nowhere.pt", "--model", "resnet18", "--out", "w.safetensors"],
    "new": ["Not-A-Name"],
    "predict": ["nowhere", "no.npz"],
    "report": ["nowhere"],
    "watch": ["nowhere", "--every", "0"],
    "list": ["strategie"],
    "doctor": ["word"],
    "deploy": ["--local", "0"],
    "describe": ["rounds=0"],
    "data": ["check", "rounds=0"],
    "tune": ["strategy=nobody", "optimizer.lr=0.1,0.2"],
    "compare": ["--from", "nowhere"],
    "run": ["word"],
    "schedule": ["nowhere"],
}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`fedmed` in a process of its own."""
    command = [sys.executable, "-m", "fedmed", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_fedmed_alone_says_what_it_can_do(tmp_path: Path) -> None:
    process = start(tmp_path)
    message, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert "usage: fedmed COMMAND" in message


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_words_are_answered_by_one_sentence_each(command: str, tmp_path: Path) -> None:
    usages: list[Sequence[str]] = [["--no-such-option"], WRONG[command]]
    started = [start(tmp_path, command, *usages[0]), Command(tmp_path, command, *usages[1])]
    for usage, process in zip(usages, started, strict=True):
        message, errors = process.communicate()
        assert (process.returncode, message) == (2, ""), (usage, errors)
        assert [line for line in errors.splitlines() if not line.startswith("fedmed: error: ")] == [], errors
    assert list(tmp_path.iterdir()) == []


def test_files_in_the_current_folder_named_as_libraries_are_not_taken_for_them(tmp_path: Path) -> None:
    for name in ("random", "torch", "hydra", "fedmed_augment", "copy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    small = ("dataset.images=40", "dataset.test_images=10", "dataset.side=8", "model.width=2", "clients=2", "rounds=1")
    runs = [
        start(tmp_path, "run", "-q", "engine=pool", "engine.workers=1", *small),
        start(tmp_path, "compare", "-q", "strategy=fedavg", "seed=0,1", "--no-references", "--workers", "2", *small),
    ]
    for process in runs:
        message, errors = process.communicate()
        assert process.returncode == 0, message + errors
