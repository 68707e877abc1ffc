"""The catalogue of errors: it is what the code says, and errors that happen are found in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from fedmed.cli.main import main
from tools.errors import HEAD, PAGE, changes, page, part_of
from tools.refusals import Refusal, refusals
from tools.words import CLOSING, OPENING


@pytest.fixture(scope="module")
def known() -> list[Refusal]:
    """All refusals of this checkout."""
    return refusals()


def search(message: str, found: Iterable[Refusal]) -> list[Refusal]:
    """The refusals that may have said a sentence; those that share most words with it first."""
    return sorted((each for each in found if pattern(each).match(message)), key=lambda each: -len(literal(each)))


def pattern(refusal: Refusal) -> re.Pattern[str]:
    """What matches the sentences that a refusal may have."""
    sides = (refusal.where, refusal.expected, refusal.got)
    where, expected, got = ("|".join(map(_anything, text.split(" / "))) for text in sides)
    return re.compile(f"(?:{where}): expected (?:{expected}), got (?:{got})\\.", re.DOTALL)


def literal(refusal: Refusal) -> str:
    """What every sentence of a refusal has in it."""
    return re.sub(f"{OPENING}.+?{CLOSING}", "", f"{refusal.where}{refusal.expected}{refusal.got}")


def _anything(text: str) -> str:
    parts = re.split(f"({OPENING}.+?{CLOSING})", text)
    return "".join(".*?" if part.startswith(OPENING) else re.escape(part) for part in parts)


def test_the_page_is_current(known: list[Refusal]) -> None:
    assert "".join(changes(page(known))) == "", "run: python -m tools.errors"


def test_a_page_that_is_not_is_told_apart(known: list[Refusal]) -> None:
    assert "-- `resume: " in "".join(changes(page([each for each in known if each.where != "resume"])))


@pytest.mark.parametrize(
    ("command", "where", "file"),
    [
        (["rum"], "command", "fedmed/cli/main.py"),
        (["run", "clients=2", "clients_per_round=3"], "clients_per_round", "fedmed/options/rules.py"),
        (["run", "strategy=fedprxo"], "‹group›", "fedmed/config/overrides.py"),
        (["run", "dataset=npz", "dataset.path=none.npz"], "‹option›", "fedmed/data/npz/opening.py"),
        (["run", "resume=none"], "resume", "fedmed/rundir/directory.py"),
        (["report", "none"], "‹path›", "fedmed/comparison/find.py"),
        (["tune", "strategy=fedavg"], "tune", "fedmed/tuning/plan.py"),
        (["watch", "none"], "watch", "fedmed/rundir/watched.py"),
    ],
)
def test_an_error_that_happens_is_found(
    known: list[Refusal],
    command: list[str],
    where: str,
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    message = capsys.readouterr().err.strip().removeprefix("fedmed: error: ")
    best = search(message, known)[0]
    assert (best.where, best.file) == (where, file), message


SOURCE = """
from fedmed.errors import Fault, UserError, refuse

FIX = "Restore it."

def direct(path, error):
    raise refuse(str(path), "a file", f"none of {path.name}", FIX) from error

def worded(bad):
    fix = "First."
    if bad:
        raise refuse("one", "first", bad, fix)
    fix = "Second." if bad else "Third."
    raise UserError(Fault("two", "second", "x", fix))

def wrapped(where, expected, got):
    return refuse(where, expected, got, "Again.")

def callers(kind):
    raise wrapped("three", f"a {kind} thing", "none")
    raise wrapped("four", "another", kind)
"""


def test_refusals_are_read_from_the_syntax(tmp_path: Path) -> None:
    (tmp_path / "fedmed").mkdir()
    (tmp_path / "fedmed/some.py").write_text(SOURCE, encoding="utf-8")
    assert refusals(tmp_path) == [
        Refusal("four", "another", "‹kind›", "Again.", "fedmed/some.py"),
        Refusal("one", "first", "‹bad›", "First.", "fedmed/some.py"),
        Refusal("three", "a ‹kind› thing", "none", "Again.", "fedmed/some.py"),
        Refusal("two", "second", "x", "Second. / Third.", "fedmed/some.py"),
        Refusal("‹path›", "a file", "none of ‹name›", "Restore it.", "fedmed/some.py"),
    ]


def test_every_refusal_has_a_place_and_words_of_its_own(known: list[Refusal]) -> None:
    assert len(known) > 300
    assert [str(each) for each in known if not each.where or not each.expected or not each.got] == []
    unspoken = [each for each in known if each.expected.startswith("‹") and each.expected.endswith("›")]
    assert len(unspoken) < 0.1 * len(known), "entries that no word of the error leads to"


def test_every_part_of_the_code_has_a_heading(known: list[Refusal]) -> None:
    assert {each.file for each in known if part_of(each.file) == "Elsewhere"} == set()


def test_the_page_begins_with_how_to_use_it() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
