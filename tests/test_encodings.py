"""Text has one encoding, whatever the locale: every text file and pipe that is opened names it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("fedmed", "strategies", "datasets", "tests", "benchmarks", "tools", "examples")

ALWAYS_TEXT = frozenset({"read_text", "write_text"})
OPENS = frozenset({"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"})

STARTS_PROCESSES = frozenset({"run", "Popen", "check_output"})


def unnamed(source: str) -> Iterator[ast.Call]:
    """Calls that read or write text in an encoding which the locale chooses."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not _named(node) and (_is_text(node) or _talks_text(node)):
            yield node


def _named(call: ast.Call) -> bool:
    return any(keyword.arg in ("encoding", None) for keyword in call.keywords)


def _is_text(call: ast.Call) -> bool:
    name, owner = _names(call)
    if name in ALWAYS_TEXT:
        return len(call.args) < (1 if name == "read_text" else 2)
    if name not in OPENS:
        return False
    function = name != "open" or not owner
    at = 1 if name in ("open", "fdopen") and function else 0
    modes = [k.value for k in call.keywords if k.arg == "mode"] or call.args[at : at + 1]
    if not modes:  # a method without a mode may open anything; ruff's PLW1514 knows the paths among them
        return isinstance(call.func, ast.Name) and name == "open"
    return any(isinstance(mode, ast.Constant) and re.fullmatch(r"[rwax]\+?t?", str(mode.value)) for mode in modes)


def _talks_text(call: ast.Call) -> bool:
    name, _ = _names(call)
    return name in STARTS_PROCESSES and any(keyword.arg in ("text", "universal_newlines") for keyword in call.keywords)


def _names(call: ast.Call) -> tuple[str, str]:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr, ast.unparse(call.func.value)
    return (call.func.id if isinstance(call.func, ast.Name) else ""), ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_text_file_and_pipe_names_its_encoding(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in unnamed(path.read_text(encoding="utf-8"))
    ]
    assert not found, "add encoding='utf-8'"


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("path.read_text()", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.write_text(text)", True),
        ("open(path)", True),
        ("open(path, 'rb')", False),
        ("path.open('a')", True),
        ("path.open('xb')", False),
        ("os.open(path, flags)", False),
        ("os.fdopen(number, 'w')", True),
        ("RunDirectory.open(path)", False),
        ("Path('x').open('w+')", True),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command, text=True, encoding='utf-8')", False),
        ("subprocess.run(command)", False),
    ],
)
def test_which_calls_are_found(call: str, wrong: bool) -> None:
    assert bool(list(unnamed(call))) == wrong
