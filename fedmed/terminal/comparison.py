"""A comparison as tables for a terminal: who is best, how clients fare, what it costs, who ranks where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from fedmed.comparison.estimates import Estimate
from fedmed.comparison.holdout import HeldOutTable, held_out_tables
from fedmed.comparison.rows import ClientRow, Ranking, Row, Summary, TargetRow
from fedmed.errors import visible
from fedmed.formatting import byte_size, defined_share, duration, interval, p_value_text, signed, value
from fedmed.terminal.text_table import TextTable, fit

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGNS = {"best": " *", "near": " ~", "": ""}
LEGEND = "* best of its world, ~ not significantly worse than the best"


def comparison_text(summary: Summary, width: int = 110) -> str:
    """Plain text of lines of at most `width` characters, without a line end."""
    tables = ("\n".join(part.text() for part in fit(grid, width)) for grid in text_tables(summary))
    return "\n\n".join([*tables, "\n".join(_notes(summary, width))]).rstrip()


def comparison_table(summary: Summary, width: int) -> RenderableType:
    """The same for a rich console of `width` characters."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for grid in text_tables(summary):
        parts += [*(part.rich() for part in fit(grid, width)), Text()]
    return Group(*parts, *map(Text, _notes(summary, width)))


def _notes(summary: Summary, width: int) -> list[str]:
    form = TextWrapper(
        width, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return [line for note in summary.notes for line in form.wrap(visible(note))]


def text_tables(summary: Summary) -> Iterator[TextTable]:
    """The tables of a comparison; without a table where there is nothing to put into it."""
    yield from map(_held_out, held_out_tables(summary))
    yield _headline(summary)
    if summary.clients:
        yield _clients(summary.clients)
    if summary.targets:
        yield _targets(summary.targets)
    if summary.ranking is not None:
        yield _ranks(summary.ranking)


def _held_out(table: HeldOutTable) -> TextTable:
    rows = [
        [
            row.arm,
            *(value(row.values.get(site)) for site in table.sites),
            value(row.mean.mean) + defined_share(row.mean.number, len(table.sites)),
            interval(row.mean.low, row.mean.high),
            *(["", ""] if row.difference is None else [signed(row.difference.mean), _ends(row.difference)]),
        ]
        for row in table.rows
    ]
    against = f"- {table.reference}"
    return TextTable(
        header=["arm", *table.sites, "mean", "95 %", against, "its 95 %"],
        rows=rows,
        above=[f"Tested at the site that was held out of {table.world}: {table.metric}"],
        below=["Intervals are over sites, of which each is the mean of its seeds."],
    )


def _ends(found: Estimate) -> str:
    return interval(found.low, found.high, sign=True)


def _headline(summary: Summary) -> TextTable:
    rows = [row for row in summary.rows if row.metric == summary.headline]
    cells = [
        [
            str(row.n),
            value(row.mean) if row.sd is None else f"{value(row.mean)} ± {value(row.sd)}",
            defined_share(row.defined, row.of).strip(" ()"),
            interval(row.low, row.high),
            _signed_number(row.difference),
            interval(row.dlow, row.dhigh, sign=True),
            "" if row.p_holm is None else p_value_text(row.p_holm),
            _signed_number(row.effect, 1),
        ]
        for row in rows
    ]
    against = f"- {summary.comparison.reference}"
    header = ["seeds", summary.headline, "rests on", "95 %", against, "its 95 %", "p (Holm)", "g"]
    legend = [LEGEND] if any(row.mark for row in rows) else []
    return _table(rows, header, cells, signs=[SIGNS[row.mark] for row in rows], below=legend)


def _clients(rows: Sequence[ClientRow]) -> TextTable:
    header = ["clients", "mean", "sd", "worst", "lowest 10 %", "highest 10 %", "Jain"]
    cells = [
        [
            f"{row.clients:g}{_of(row)}",
            *map(value, (row.mean, row.sd, row.worst, row.deciles[0], row.deciles[-1], row.jain)),
        ]
        for row in rows
    ]
    return _table(rows, header, cells, above=[f"Clients: {rows[0].metric} of the last evaluation"])


def _of(row: ClientRow) -> str:
    """` of 5` behind the number of clients that have a value, where some of the five have none; else empty."""
    return f" of {row.of:g}" if row.of is not None and row.of > row.clients else ""


def _targets(rows: Sequence[TargetRow]) -> TextTable:
    header = ["target", "reached", "rounds", "bytes", "time", "all rounds", "all bytes", "all time"]
    cells = [
        [
            value(row.target),
            f"{row.reached} of {row.n}",
            "never" if row.rounds is None else f"{row.rounds:g}",
            "never" if row.bytes is None else byte_size(row.bytes),
            "never" if row.seconds is None else duration(row.seconds),
            f"{row.all_rounds:g}",
            byte_size(row.all_bytes),
            duration(row.all_seconds),
        ]
        for row in rows
    ]
    title = f"Cost until {rows[0].metric} reaches the target: the median run's; time by the {rows[0].clock} clock"
    return _table(rows, header, cells, above=[title])


def _ranks(ranking: Ranking) -> TextTable:
    below: list[str] = []
    if ranking.critical is not None:
        below = [f"Friedman p {p_value_text(ranking.p)}; critical difference {ranking.critical:.2f} (Nemenyi, 5 %)"]
        below += [f"not told apart: {', '.join(group)}" for group in ranking.alike]
    return TextTable(
        header=["arm", "rank"],
        rows=[[arm, f"{rank:.2f}"] for arm, rank in zip(ranking.arms, ranking.ranks, strict=True)],
        above=[f"Average rank over {len(ranking.worlds)} worlds by {ranking.metric}"],
        below=below,
    )


def _table(
    rows: Sequence[Row | ClientRow | TargetRow],
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    signs: Sequence[str] = (),
    above: Sequence[str] = (),
    below: Sequence[str] = (),
) -> TextTable:
    """A line per row, after its world where there are several; a rule ends each world. Empty columns are left out."""
    several = len({row.world for row in rows}) > 1
    columns = [number for number in range(len(header)) if any(rest[number] for rest in cells)]
    lines = [
        [*([row.world] if several else []), row.arm + sign, *(rest[number] for number in columns)]
        for row, sign, rest in zip(rows, signs or [""] * len(rows), cells, strict=True)
    ]
    breaks = [number for number, (one, next) in enumerate(pairwise(rows)) if one.world != next.world]
    return TextTable(
        header=[*(["world"] if several else []), "arm", *(header[number] for number in columns)],
        rows=lines,
        left=frozenset({0, 1}) if several else frozenset({0}),
        breaks=frozenset(breaks),
        above=above,
        below=below,
    )


def _signed_number(given: float | None, digits: int = 3) -> str:
    """With its sign; empty where it is not known, as for the reference itself."""
    return "" if given is None else signed(given, digits)
