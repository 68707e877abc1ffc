"""The README: its contents, one sentence a line, and commands that can be pasted."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from fedmed.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BLOCKS = [text for language, text in FENCED if not language]
PATHS = re.findall(r"^### (.+?)\n\n```\n(.*?)^```$", TEXT.partition("## Pick your path")[2], re.MULTILINE | re.DOTALL)[
    :5
]


def commands() -> list[str]:
    """Every command of fedmed's, in blocks without its comment and within sentences, each once."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    found = [re.split(r"\s+#", line)[0] for line in lines if line.startswith("fedmed ")]
    inline = re.findall(r"`(fedmed [a-z]+ [^`<]+)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL))
    return list(dict.fromkeys([*found, *inline]))


def test_the_contents_name_every_section() -> None:
    listed = re.findall(r"\[[^\]]+\]\(#([\w-]+)\)", TEXT.partition("## Install")[0])
    headings = re.findall(r"^##+ (.+)$", TEXT, re.MULTILINE)
    assert listed == [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]


def test_a_line_holds_one_sentence() -> None:
    text = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    assert [line for line in prose if re.search(r"[a-z)`]\. [A-Z`]", line)] == []


def test_the_paths_are_those_that_the_contents_promise() -> None:
    assert [name for name, _ in PATHS] == ["Run", "Own data", "Own method", "Compare", "Scale out"]


def test_every_command_is_one() -> None:
    assert len(commands()) > 45
    assert {command.split()[1] for command in commands()} - {*COMMANDS, "--help"} == set()


@pytest.mark.parametrize("command", [each for each in commands() if each.startswith("fedmed run ")])
def test_a_run_that_is_shown_is_a_configuration(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Composed and checked, not run: `pytest -m slow` runs what stands under Pick your path."""
    words = shlex.split(command)[1:]
    if "--multirun" in words or "--cfg" in words or any(word.startswith(("resume=", "metrics=")) for word in words):
        pytest.skip("is no single configuration that stands alone")
    monkeypatch.chdir(tmp_path)
    assert main(["new", "small_logits"]) == 0
    assert main([*(word for word in words if word != "--open"), "--cfg", "job"]) == 0, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("path", [name for name, _ in PATHS])
def test_a_path_can_be_pasted(path: str, tmp_path: Path) -> None:
    """In an empty folder, word by word, ending at the first command that fails."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/fedmed"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m fedmed "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    folder = tmp_path / "folder"
    folder.mkdir()
    script = f'set -e; PATH="{tmp_path}/bin:$PATH"; export PYTHONPATH="{ROOT}"\n{dict(PATHS)[path]}'
    done = subprocess.run(["bash"], input=script, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_what_it_says_of_python_runs(tmp_path: Path) -> None:
    code = next(text for language, text in FENCED if language == "python" and "fedmed.Experiment" in text)
    (tmp_path / "script.py").write_text(f'if __name__ == "__main__":\n{indent(code, "    ")}', encoding="utf-8")
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "fedprox" in done.stdout
