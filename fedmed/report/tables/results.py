"""Who stands where: the table of a world, and of all worlds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from fedmed.comparison.estimates import Estimate
from fedmed.comparison.holdout import HeldOutRow, HeldOutTable
from fedmed.comparison.rows import Row, Summary
from fedmed.formatting import defined_share, interval, metric_name, p_value_text, signed, value
from fedmed.report.tables.cells import HtmlTable, TableCell, Whisker, arm_cell, count_cell, metric_cell


class _Column(NamedTuple):
    """A column of a table of arms: its name, what that means in full, and what it says of a row."""

    name: str
    meaning: str
    cell: Callable[[Row], TableCell]


def results_table(summary: Summary, world: str) -> HtmlTable:
    """Every arm's metrics in a world: the headline in full, the means of the others."""
    found = {(row.arm, row.metric): row for row in summary.rows if row.world == world}
    main = [_headline(summary, arm, found) for arm in summary.comparison.arms if any(arm == a for a, _ in found)]
    columns = [
        _Column("arm", "what was run", lambda row: TableCell(text=row.arm, sort=row.arm, arm=row.arm, mark=row.mark)),
        _Column(metric_name(summary.headline), "mean and standard deviation over seeds", _mean),
        *_intervals(main),
        *_differences(main, summary.comparison.reference),
        *_others(summary, world, found),
    ]
    if len({row.n for row in main}) > 1:
        columns.append(_Column("seeds", "number of runs", lambda row: count_cell(row.n)))
    rows = [[column.cell(row) for column in columns] for row in main]
    return HtmlTable(caption=f"Results in {world}", header=[column[:2] for column in columns], rows=rows)


def _intervals(rows: Sequence[Row]) -> Iterator[_Column]:
    if scale := _scale(rows):
        yield _Column("95 % interval", "of the mean over seeds", lambda row: _whisker(row, *scale))


def _differences(rows: Sequence[Row], reference: str) -> Iterator[_Column]:
    """What is known of the difference from the reference."""
    if any(row.difference is not None for row in rows):
        meaning = "mean of paired differences, with its 95 % interval"
        yield _Column(f"minus {reference}", meaning, lambda row: _difference(row, reference))
    if any(row.p_holm is not None for row in rows):
        meaning = "of the difference, with Holm's correction"
        yield _Column("p", meaning, lambda row: _optional(row.p_holm, p_value_text))
    if any(row.effect is not None for row in rows):
        meaning = "Hedges' g of paired differences"
        yield _Column("effect", meaning, lambda row: _optional(row.effect, lambda effect: signed(effect, 1)))


def _others(summary: Summary, world: str, rows: Mapping[tuple[str, str], Row]) -> Iterator[_Column]:
    """Means of the metrics beside the headline, those that any arm has."""
    for metric in summary.metrics[1:]:
        if _known(summary, world, metric):
            yield _Column(metric_name(metric), "mean over seeds", _beside(rows, metric))


def _beside(rows: Mapping[tuple[str, str], Row], metric: str) -> Callable[[Row], TableCell]:
    """A function that gives the cell of another metric for the arm of a row."""
    mine = {arm: row for (arm, name), row in rows.items() if name == metric}
    return lambda row: _plain(mine[row.arm]) if row.arm in mine else metric_cell(None)


def _plain(row: Row) -> TableCell:
    """A mean, and what it rests on where that is not everything."""
    return replace(metric_cell(row.mean), faint=defined_share(row.defined, row.of).strip())


def _headline(summary: Summary, arm: str, rows: Mapping[tuple[str, str], Row]) -> Row:
    """The arm's row of the headline; where it has none, one that says so."""
    if (arm, summary.headline) in rows:
        return rows[arm, summary.headline]
    other = next(row for (name, _), row in rows.items() if name == arm)
    return Row(world=other.world, arm=arm, metric=summary.headline, federated=other.federated, n=other.n)


def _known(summary: Summary, world: str, metric: str) -> bool:
    return any(r.mean is not None for r in summary.rows if r.world == world and r.metric == metric)


def _mean(row: Row) -> TableCell:
    spread = f"± {value(row.sd)}" if row.sd is not None and row.n > 1 else ""
    return TableCell(text=value(row.mean), sort=row.mean, faint=f"{spread}{defined_share(row.defined, row.of)}".strip())


def _difference(row: Row, reference: str) -> TableCell:
    if row.arm == reference:
        return TableCell(text="reference")
    return TableCell(text=signed(row.difference), sort=row.difference, faint=interval(row.dlow, row.dhigh, sign=True))


def _optional(x: float | None, say: Callable[[float], str]) -> TableCell:
    return TableCell() if x is None else TableCell(text=say(x), sort=x)


def _scale(rows: Collection[Row]) -> tuple[float, float] | None:
    """From where to where intervals are drawn: those of federated arms in full; None where fewer than two are known."""
    federated = [end for row in rows if row.federated for end in (row.low, row.high) if end is not None]
    ends = federated + [row.mean for row in rows if row.mean is not None]
    return (min(ends), max(ends)) if len(federated) > 2 and min(ends) < max(ends) else None


def _whisker(row: Row, lowest: float, highest: float) -> TableCell:
    if row.mean is None or row.low is None or row.high is None:
        return TableCell()
    ends = (min(max((end - lowest) / (highest - lowest), 0), 1) for end in (row.low, row.mean, row.high))
    low, at, high = (100 * end for end in ends)
    text = interval(row.low, row.high)
    return TableCell(text=text, sort=row.mean, arm=row.arm, whisker=Whisker(at, low, high))


def held_out_table(table: HeldOutTable) -> HtmlTable:
    """A row per arm and a column per site that was held out, then the mean over sites and the difference from it."""
    header = [("arm", "what was run"), *((site, "held out: mean over seeds") for site in table.sites)]
    header += [("mean over sites", "with its 95 % interval over sites")]
    compared = any(row.difference is not None for row in table.rows)
    header += [(f"minus {table.reference}", "paired by site and seed, with its 95 % interval over sites")] * compared
    rows = [
        [
            arm_cell(row.arm),
            *(metric_cell(row.values.get(site)) for site in table.sites),
            _over_sites(row.mean, of=len(table.sites)),
            *([_against(row, table.reference)] * compared),
        ]
        for row in table.rows
    ]
    return HtmlTable(caption=f"{metric_name(table.metric)} at the site that was held out", header=header, rows=rows)


def _over_sites(found: Estimate, *, of: int) -> TableCell:
    faint = f"{interval(found.low, found.high)}{defined_share(found.number, of)}"
    return TableCell(text=value(found.mean), sort=found.mean, faint=faint.strip())


def _against(row: HeldOutRow, reference: str) -> TableCell:
    if row.difference is None:
        return TableCell(text="reference" if row.arm == reference else "-")
    found = row.difference
    return TableCell(text=signed(found.mean), sort=found.mean, faint=interval(found.low, found.high, sign=True))


def overview_table(summary: Summary) -> HtmlTable:
    """Means of the headline, a row per arm and a column per world."""
    comparison = summary.comparison
    found = {(row.world, row.arm): row for row in summary.rows if row.metric == summary.headline}
    rows = [
        [arm_cell(arm)]
        + [_marked(found[world, arm]) if (world, arm) in found else TableCell() for world in comparison.worlds]
        for arm in comparison.arms
    ]
    header = [("arm", "what was run"), *((world, "mean over seeds") for world in comparison.worlds)]
    return HtmlTable(caption=f"{metric_name(summary.headline)} by world", header=header, rows=rows)


def _marked(row: Row) -> TableCell:
    cell = _mean(row)
    return TableCell(text=cell.text, sort=cell.sort, faint=cell.faint, mark=row.mark)
