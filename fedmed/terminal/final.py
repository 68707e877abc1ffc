"""The table that ends a run: its final metrics, what they rest on, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fedmed.formatting import byte_size, defined_share, duration, number
from fedmed.rundir.final import defined
from fedmed.terminal.text_table import TextTable, fit

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = {
    "test": "test.",
    "mean client": "client.mean.",
    "worst client": "client.worst.",
    "mean adapted": "adapted.mean.",
    "worst adapted": "adapted.worst.",
}
"""Columns of the final table, and what the names of their metrics begin with."""


def final_table(final: Mapping[str, Any]) -> RenderableType:
    """The result for a rich console; the run directory stands alone on the last line, never wrapped."""
    from rich.console import Group

    return Group(*(part.rich() for part in fit(_grid(final), get_terminal_size().columns)))


def final_text(final: Mapping[str, Any]) -> str:
    """The result as plain text, without a line end."""
    return "\n".join(part.text() for part in fit(_grid(final), get_terminal_size().columns))


def _grid(final: Mapping[str, Any]) -> TextTable:
    """Metrics as rows and scopes as columns; values per class (`dice.2`) and intervals stay out."""
    columns = {
        title: {name.removeprefix(prefix): value for name, value in final.items() if name.startswith(prefix)}
        for title, prefix in (COLUMNS | {"best test": "best.test."}).items()
    }
    columns = {title: values for title, values in columns.items() if any(map(defined, values.values()))}
    names = dict.fromkeys(name.partition(".")[0] for values in columns.values() for name in values if name != "id")
    rows = [[name, *(_cell(values, name) for values in columns.values())] for name in names]
    return TextTable(header=["", *columns], rows=rows, below=["", *_counts(columns, names), *_notes(final)])


def _cell(values: Mapping[str, Any], name: str) -> str:
    """A value, with a star where it does not rest on everything."""
    return number(values.get(name)) + ("*" if _rests(values, name) else "")


def _rests(values: Mapping[str, Any], name: str) -> str:
    return defined_share(values.get(f"{name}.defined"), values.get(f"{name}.of")).strip(" ()")


def _counts(columns: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """What the stars stand for: `* auc: mean client, worst client over 5 of 6`; lines that fit the terminal."""
    found: dict[str, list[str]] = {}
    for name in names:
        counts: dict[str, list[str]] = {}
        for title, values in columns.items():
            if rests := _rests(values, name):
                counts.setdefault(rests, []).append(title)
        for rests, titles in counts.items():
            found.setdefault(f"{', '.join(titles)} over {rests}", []).append(name)
    lines = [f"* {which}, as the rest have no value: {', '.join(names)}" for which, names in found.items()]
    width = min(78, get_terminal_size().columns)
    return [part for line in lines for part in wrap(line, width, subsequent_indent="  ")] + [""] * bool(lines)


def _notes(final: Mapping[str, Any]) -> list[str]:
    """What does not fit the table: rounds, the worst client, traffic, time, and the directory."""
    facts = [f"rounds {final['rounds']}"]
    if final.get("faults"):
        facts.append(f"{final['faults']} clients' rounds left out (faults.jsonl)")
    if final["best.round"] is not None:
        facts.append(f"best round {final['best.round']} (by {final.get('best.by', 'validation')})")
    if final["client.worst.id"] is not None:
        facts.append(f"worst client {final['client.worst.id']}")
    costs = [f"up {byte_size(final['bytes.up'])}", f"down {byte_size(final['bytes.down'])}", duration(final["seconds"])]
    if final["seconds.per_round"] is not None:
        costs.append(f"{duration(final['seconds.per_round'])} per round")
    return [" · ".join(facts), " · ".join(costs), str(final["directory"])]
