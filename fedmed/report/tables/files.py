"""The tables of a comparison as files, for spreadsheets and papers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from io import StringIO
from math import isfinite
from pathlib import Path

from fedmed.comparison.estimates import Estimate
from fedmed.comparison.fairness import DECILES
from fedmed.comparison.holdout import HeldOutTable, held_out_tables
from fedmed.comparison.rows import ClientRow, Row, Summary, TargetRow
from fedmed.comparison.runs import Comparison
from fedmed.comparison.summary import summarise
from fedmed.errors import visible
from fedmed.files import write_atomically
from fedmed.report.tables.latex import latex

FORMULAS = ("=", "+", "-", "@", "\t")
"""What a cell begins with that a spreadsheet computes."""


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Writes summary, clients, targets, runs (.csv), summary.tex and held_out.csv; a missing folder is made."""
    return write_summary(summarise(comparison), folder)


def write_summary(summary: Summary, folder: Path) -> list[Path]:
    """Writes the same files for a comparison that was summarised."""
    texts = {
        "summary.csv": rows_csv(Row, summary.rows),
        "clients.csv": rows_csv(ClientRow, summary.clients),
        "targets.csv": rows_csv(TargetRow, summary.targets),
        "runs.csv": runs_csv(summary.comparison),
        "summary.tex": latex(summary),
    }
    if tables := list(held_out_tables(summary)):
        texts["held_out.csv"] = held_out_csv(tables)
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def rows_csv(kind: type[Row] | type[ClientRow] | type[TargetRow], rows: Sequence[Row | ClientRow | TargetRow]) -> str:
    """One line per row, named as the fields of its kind; empty where nothing is known. Deciles are decile.10 to 90."""
    names = [field.name for field in fields(kind) if field.name != "deciles"]
    deciles = [f"decile.{share}" for share in DECILES] if kind is ClientRow else []
    lines = ({**asdict(row), **dict(zip(deciles, asdict(row).get("deciles", ()), strict=True))} for row in rows)
    return _csv([*names, *deciles], lines)


def held_out_csv(tables: Iterable[HeldOutTable]) -> str:
    """One line per world, arm and site that was held out, and per arm one of the mean over sites."""
    columns = ["world", "metric", "arm", "site", "mean", "low", "high", "difference", "dlow", "dhigh", "sites"]
    return _csv(columns, [line for table in tables for line in _held_out(table)])


def _held_out(table: HeldOutTable) -> Iterator[dict[str, object]]:
    for row in table.rows:
        start: dict[str, object] = {"world": table.world, "metric": table.metric, "arm": row.arm}
        yield from ({**start, "site": site, "mean": value} for site, value in row.values.items())
        over = {**start, "sites": row.mean.number, "mean": row.mean.mean} | _ends("", row.mean)
        difference = row.difference
        yield over | ({} if difference is None else {"difference": difference.mean} | _ends("d", difference))


def _ends(prefix: str, found: Estimate) -> dict[str, object]:
    """The ends of an interval; none of a single site's."""
    ends = {"low": found.low, "high": found.high}
    return {prefix + name: end for name, end in ends.items() if isfinite(end)}


def runs_csv(comparison: Comparison) -> str:
    """One line per run: its place, its directory, and everything in its final.json that is a number."""
    lines = [
        {"world": world, "arm": arm, "seed": seed, "directory": str(run.path), **_numbers(run.final)}
        for (world, arm, seed), run in comparison.runs.items()
    ]
    return _csv(list(dict.fromkeys(name for line in lines for name in line)), lines)


def _numbers(final: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in final.items() if value is None or isinstance(value, int | float)}


def _csv(columns: Sequence[str], lines: Iterable[Mapping[str, object]]) -> str:
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(line.get(name)) for name in columns] for line in lines)
    return stream.getvalue()


def _cell(value: object) -> object:
    """Numbers as they are; text that a spreadsheet would take for a formula as text, with a quote before it."""
    if not isinstance(value, str):
        return value
    text = visible(value)  # a lone \r would begin a row of its own
    return f"'{text}" if text.startswith(FORMULAS) else text
