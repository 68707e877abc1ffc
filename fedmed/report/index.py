"""The page that leads to others: every run and every comparison in a folder, whatever became of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from fedmed.comparison.catalogue import ComparisonEntry, RunEntry, list_folder
from fedmed.files import write_atomically
from fedmed.formatting import count, first_few, metric_name, value
from fedmed.report.page import NAME as PAGE
from fedmed.report.rendering import render_template
from fedmed.report.tables.cells import HtmlTable, TableCell, count_cell

NAME = "index.html"

ORDER = ("running", "silent", "failed", "damaged", "stopped", "finished")
"""Statuses as they are sorted: what needs an eye first."""

WELL = ("running", "finished")
"""Statuses that are not highlighted."""

STATUS_TEXT = {"silent": "running, but silent: killed?"}


def write_index(folder: Path, into: Path, notes: Sequence[str] = ()) -> tuple[Path, str]:
    """Writes index.html into a folder, about another or the same; its path, and in words what it leads to.

    notes: what a reader has to know besides.
    """
    entries, gathered = list_folder(folder)
    statuses = Counter(entry.status for entry in entries)
    facts = [count(len(entries), "run"), *(f"{statuses[status]} {status}" for status in ORDER if statuses[status])]
    facts += [count(len(gathered), "comparison")] if gathered else []
    page = render_template(
        "index.html",
        title=folder.resolve().name or str(folder),
        kicker="runs and comparisons",
        choices="",
        facts=facts,
        page=_link(folder / PAGE, into) if (folder / PAGE).exists() else "",
        comparisons=_comparisons(gathered, folder, into) if gathered else None,
        runs=_runs(entries, folder, into),
        wrong=list(_wrong(entries, folder)),
        notes=list(notes),
        colors={},
        marks={},
    )
    write_atomically(into / NAME, page)
    return into / NAME, ", ".join(facts)


def _runs(entries: Sequence[RunEntry], folder: Path, into: Path) -> HtmlTable:
    header = [("strategy", "what was run; leads to its page where there is one"), ("dataset", "on which data")]
    header += [("seed", "of the run"), ("status", "what became of it"), ("rounds", "that have ended, of all")]
    header += [("metric", "headline, at the end or so far"), ("began", "time in UTC"), ("folder", "of the run")]
    newest = sorted(entries, key=lambda entry: entry.created, reverse=True)
    rows = [_row(entry, folder, into) for entry in newest]
    return HtmlTable(caption="Runs", header=header, rows=rows, worded=(1, 3, 7))


def _row(entry: RunEntry, folder: Path, into: Path) -> list[TableCell]:
    name, metric = _name(entry.path, folder), metric_name(entry.metric) if entry.metric else ""
    of = f"of {entry.rounds}" if entry.rounds is not None and entry.rounds != entry.done else ""
    return [
        _named(entry.strategy or "unknown", entry.path / PAGE, into, title=name),
        TableCell(text=entry.dataset, sort=entry.dataset or None),
        count_cell(entry.seed),
        TableCell(
            text=STATUS_TEXT.get(entry.status, entry.status), sort=_place(entry.status), alert=entry.status not in WELL
        ),
        TableCell(text="-" if entry.done is None else str(entry.done), sort=entry.done, faint=of),
        TableCell(text=value(entry.value), sort=entry.value, faint=metric),
        TableCell(text=entry.created[:16].replace("T", " ") or "-", sort=entry.created or None),
        TableCell(text=name, sort=name, wrapped=True),
    ]


def _place(status: str) -> int:
    return ORDER.index(status) if status in ORDER else len(ORDER)


def _comparisons(gathered: Sequence[ComparisonEntry], folder: Path, into: Path) -> HtmlTable:
    header = [("comparison", "its folder; leads to its page"), ("asked for", "what was written")]
    header += [("runs", "of all arms and seeds"), ("failed", "of them")]
    rows = [
        [
            _named(_name(each.path, folder), each.path / PAGE, into),
            TableCell(text=each.overrides, sort=each.overrides, wrapped=True),
            count_cell(len(each.runs)),
            count_cell(each.failed),
        ]
        for each in gathered
    ]
    return HtmlTable(caption="Comparisons", header=header, rows=rows, worded=(1,))


def _named(name: str, page: Path, into: Path, title: str = "") -> TableCell:
    """A name that leads to a page where there is one. title: what tells it from others of that name."""
    return TableCell(text=name, sort=name, href=_link(page, into) if page.exists() else "", title=title)


def _name(path: Path, folder: Path) -> str:
    """The path relative to the folder that was asked for."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _link(page: Path, into: Path) -> str:
    """From a page in one folder to another; a first part with a colon would be read as a scheme."""
    found = quote(Path(os.path.relpath(page, into)).as_posix())
    return found if found.startswith(("/", ".")) else f"./{found}"


def _wrong(entries: Sequence[RunEntry], folder: Path) -> Iterator[tuple[str, str]]:
    """Notes on runs: each once, with all the runs that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for entry in entries:
        if entry.why:
            by_reason.setdefault(entry.why, []).append(_name(entry.path, folder))
    yield from ((first_few(names), why) for why, names in by_reason.items())
