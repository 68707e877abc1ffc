"""Tables of text: CSV, TSV or parquet, every value as it is written, and two of them joined by their keys."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fedmed.data.npz.opening import check_regular
from fedmed.data.reading.notices import say
from fedmed.errors import near, refuse


@dataclass(frozen=True, slots=True)
class TextColumns:
    """Columns of text, of equal length, by their names.

    path: where the table lies. rows: how many.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    rows: int

    def column(self, name: str, option: str) -> Sequence[str]:
        """A column; raises UserError where there is none of that name, with near misses."""
        if name not in self.columns:
            raise refuse(option, f"a column of {self.path}", name, near(name, self.columns))
        return self.columns[name]

    def row(self, number: int) -> dict[str, str]:
        """One row, by column."""
        return {name: texts[number] for name, texts in self.columns.items()}

    def first_of(self, names: Sequence[str]) -> str:
        """The first column whose name is one of these, whatever its case, blanks and marks; empty for none."""
        plain = {_plain(name): name for name in reversed(list(self.columns))}
        return next((plain[name] for name in names if name in plain), "")


def read_text_columns(path: Path, option: str) -> TextColumns:
    """The table in a file; raises UserError where it is not there, damaged, or of unequal rows."""
    check_regular(path, option, "a table: .csv, .tsv or .parquet", path.suffix or ".csv")
    if path.suffix.lower() == ".parquet":
        return _parquet(path, option)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=max("\t,;", key=first.count)) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise refuse(option, "a table in UTF-8", f"{path}: {error}", "Save it as CSV in UTF-8.") from error
    if len(rows) < 2:
        raise refuse(option, "a line of names, and rows", f"{path}: {len(rows)} lines", "Is it the right file?")
    names = [name.strip() for name in rows[0]]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise refuse(option, "columns of different names", f"{path}: {twice[0] or 'no name'} twice", "Rename one.")
    if long := [n for n, row in enumerate(rows) if len(row) > len(names)]:
        got = f"{path}: {len(rows[long[0]])} in row {long[0] + 1}"
        raise refuse(option, f"{len(names)} values a row", got, "Put values with commas into quotes.")
    filled = [[value.strip() for value in row] + [""] * (len(names) - len(row)) for row in rows[1:]]
    return TextColumns(path, dict(zip(names, map(list, zip(*filled, strict=True)), strict=True)), len(filled))


def joined(left: TextColumns, right: TextColumns, on: Sequence[str]) -> TextColumns:
    """The left table with the columns of the right one, row by row of the left; rows without a partner get blanks.

    on: names of the columns that tell which rows belong together, `left:right` where they differ; empty: those that
    both have. Raises UserError where the right table has several rows of one key, or none for all.
    """
    pairs = [name.partition(":") for name in on or _shared(left, right)]
    keys = [(of_left, of_right or of_left) for of_left, _, of_right in pairs]
    ours = list(zip(*(left.column(name, "dataset.on") for name, _ in keys), strict=True))
    theirs = list(zip(*(right.column(name, "dataset.on") for _, name in keys), strict=True))
    rows = {key: number for number, key in enumerate(theirs)}
    named = ", ".join(name for _, name in keys)
    if len(rows) < len(theirs):
        twice = next(key for key, times in Counter(theirs).items() if times > 1)
        got = f"several of {', '.join(twice)}"
        raise refuse(f"dataset.join: {right.path}", f"one row for each {named}", got, "See dataset.on.")
    found = [rows.get(key, -1) for key in ours]
    if not any(number >= 0 for number in found):
        expected, got = f"rows of the same {named}", f"{', '.join(ours[0])} there, {', '.join(theirs[0])} here"
        raise refuse(f"dataset.join: {right.path}", expected, got, "See dataset.on.")
    if missing := sum(number < 0 for number in found):
        say(f"{missing} of {left.rows} rows have no partner in {right.path.name}")
    new = [name for name in right.columns if name not in left.columns]
    added = {name: [right.columns[name][number] if number >= 0 else "" for number in found] for name in new}
    return TextColumns(left.path, {**left.columns, **added}, left.rows)


def _shared(left: TextColumns, right: TextColumns) -> list[str]:
    names = [name for name in left.columns if name in right.columns and name]
    if not names:
        fix = "Write dataset.on=[name_in_the_first:name_in_the_second]."
        raise refuse("dataset.on", "a column that both tables have", f"none in {right.path}", fix)
    say(f"tables joined by dataset.on=[{','.join(names)}]")
    return names


def _parquet(path: Path, option: str) -> TextColumns:
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        fix = "Install it: pip install 'fedmed-sim[parquet]'; or save the table as CSV."
        raise refuse(option, "pyarrow, which reads parquet", f"{path}, and no pyarrow", fix) from error
    try:
        table = parquet.read_table(path)
    except Exception as error:  # pyarrow raises what it likes on damaged bytes
        raise refuse(option, "an intact parquet file", f"{path}: {error}", "Copy or download it again.") from error
    columns = {name: [_text(value) for value in table[name].to_pylist()] for name in table.column_names}
    return TextColumns(path, columns, table.num_rows)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None or value != value else str(value)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
