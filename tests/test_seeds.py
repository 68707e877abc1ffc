"""A card quotes the code that implements each equation; a quotation that is in the file no longer fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARDS = sorted(path for path in (ROOT / "seeds").glob("*.md") if path.name != "README.md")
QUOTATION = re.compile(r"\| `(?P<file>[\w/.]+)` \| `(?P<code>[^`]+)` \|$", re.MULTILINE)
SECTIONS = (
    "**Citation.**",
    "## Problem",
    "## Equations as implemented",
    "## Claims",
    "## How to reproduce",
    "## What we measured",
    "## Deviations",
)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_has_every_part_in_order(card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    places = [text.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_what_a_card_quotes_is_in_the_code(card: Path) -> None:
    quotations = QUOTATION.findall(card.read_text(encoding="utf-8"))
    assert quotations, "a card quotes the code of its equations: | equation | `file` | `code` |"
    assert [
        f"{file}: {code}" for file, code in quotations if code not in (ROOT / file).read_text(encoding="utf-8")
    ] == []


def test_every_card_is_listed() -> None:
    index = (ROOT / "seeds/README.md").read_text(encoding="utf-8")
    assert [card.name for card in CARDS if f"({card.name})" not in index] == []
