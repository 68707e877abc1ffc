"""The glossary: a word stands there once, and lives where the page says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^\*\*(.+?)\*\*: (.+?)(?=^\n|\Z)", TEXT, re.MULTILINE | re.DOTALL)
NAMED = sorted(set(re.findall(r"`(fedmed(?:\.\w+)+)`", TEXT)))


def defined(name: str) -> bool:
    """Whether a module, or a name at the top of one, or an attribute of a class there, is in the code."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.exists():
                return _holds(ast.parse(file.read_text(encoding="utf-8")).body, parts[length:])
    return False


def _holds(body: list[ast.stmt], names: list[str]) -> bool:
    if not names:
        return True
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        assigned = {each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name)}
        if names[0] in {getattr(node, "name", None), *assigned}:
            return _holds(getattr(node, "body", []), names[1:])
    return False


def test_a_word_stands_once_and_says_where_it_lives() -> None:
    words = [word for names, _ in ENTRIES for word in names.split(", ")]
    assert len(words) > 20
    assert sorted(set(words)) == sorted(words)
    assert [word for word, text in ENTRIES if "\nIn the code: " not in text] == []


def test_the_words_that_one_has_to_know_are_there() -> None:
    words = {word for names, _ in ENTRIES for word in names.split(", ")}
    known = {"arm", "world", "scope", "chain", "inbox", "share", "cohort", "completeness", "experiment", "engine"}
    assert known | {"round context"} <= words


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_is_in_the_code(name: str) -> None:
    assert defined(name)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("fedmed.method", True),
        ("fedmed.method.client.Client.inbox", True),
        ("fedmed.method.client.Client.outbox", False),
        ("fedmed.method.client.Payload", True),
        ("fedmed.method.nowhere", False),
        ("fedmed.errors.Fault.fix", True),
    ],
)
def test_what_is_in_the_code_is_told_from_what_is_not(name: str, there: bool) -> None:
    assert defined(name) is there
