"""CONTRIBUTING: the method that it adds in ten minutes, step by step as it stands there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from fedmed.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[list[str]]:
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines()]


def test_the_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (_, make), (python, source), (_, attempts) = (block for block in FENCED if block[0] != "text")
    assert python == "python"
    monkeypatch.chdir(tmp_path)
    for command in commands(make):
        assert main([*command, *(["rounds=1"] if command[0] == "run" else [])]) == 0
    file = tmp_path / "strategies/small_features.py"
    assert "penalty" in file.read_text(encoding="utf-8"), "fedmed new writes the file that the page names"
    file.write_text(source, encoding="utf-8")
    for name in [name for name, each in sys.modules.items() if getattr(each, "__file__", None) == str(file)]:
        monkeypatch.delitem(sys.modules, name)  # the next command is another process to whoever types it
    capsys.readouterr()
    for command in commands(attempts):
        assert main([*command, *(["rounds=1"] if command[0] == "run" else [])]) == 0
    assert "beta" in capsys.readouterr().out


def test_every_target_that_is_named_is_one_of_make() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`make ([\w-]+)`", TEXT)
    assert set(named) - set(targets) == set()


def test_every_hook_that_is_named_is_one() -> None:
    from fedmed.method import Method

    table = TEXT.partition("### Which hook?")[2].partition("Each hook's")[0]
    named = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[2] for line in table.splitlines() if line.count("|") > 2))
    )
    assert len(named) > 10
    assert named - {*dir(Method)} - {"hook"} == set()
