"""`fedmed list federations`: the cards of public federations, and whether their files are on this machine."""

from __future__ import annotations

from fedmed.cli.columns import beside
from fedmed.options.cards import Card, cards

SHOWN = ("sites", "task", "licence")
INDENT = "  "


def show_federations() -> None:
    """Prints every card: title, sites, task, licence, and what to download where it is missing."""
    for card in cards():
        print(beside(f"{card.name}: ", card.title))
        for field in SHOWN:
            print(beside(f"{INDENT}{field}: ", card.said[field]))
        print(_files(card))
    print("\nTrain on one: fedmed run dataset=camelyon17 partition=site")


def _files(card: Card) -> str:
    if missing := card.missing():
        return beside(f"{INDENT}missing: ", f"{', '.join(missing)}: {card.said['download']}")
    return beside(f"{INDENT}files: ", f"there, {', '.join(card.paths)}")
