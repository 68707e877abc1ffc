"""Tables of the page: cells with what they say and what they are sorted by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fedmed.comparison.rows import Mark, Row, Summary, TargetRow
from fedmed.comparison.runs import Comparison, Key, Run
from fedmed.report.words import interval, metric_name, probability, signed, value
from fedmed.results.text import number, size, span


class Whisker(NamedTuple):
    """A mean and its interval as percent of a cell's width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """text: what it says. sort: what it is sorted by, None for last. faint: what stands behind it, smaller.

    arm: whose colour it has. mark: see `Row`. whisker: drawn instead of text.
    """

    text: str = ""
    sort: float | str | None = None
    faint: str = ""
    arm: str = ""
    mark: Mark = ""
    whisker: Whisker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """header: name and what it means in full, one per column; the first column names the rows."""

    caption: str
    header: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]

    @property
    def marked(self) -> bool:
        """Whether any cell is marked."""
        return any(cell.mark for row in self.rows for cell in row)


def results(summary: Summary, world: str) -> Table:
    """Every arm's metrics in a world: the headline in full, the means of the others."""
    others = [metric for metric in summary.metrics[1:] if _known(summary, world, metric)]
    rest = {(row.arm, row.metric): row for row in summary.rows if row.world == world}
    main = {arm: _headline(summary, arm, rest) for arm in summary.comparison.arms if any(arm == a for a, _ in rest)}
    compared = any(row.difference is not None for row in main.values()) and len(main) > 1
    scale = _scale(main.values())
    reference = summary.comparison.reference
    header = [("arm", "what was run"), (metric_name(summary.headline), "mean and standard deviation over seeds")]
    if scale:
        header.append(("95 % interval", "of the mean over seeds"))
    if compared:
        header += [(f"minus {reference}", "mean of paired differences, with its 95 % interval")]
        header += [("p", "of the difference, with Holm's correction"), ("effect", "Hedges' g of paired differences")]
    header += [(metric_name(metric), "mean over seeds") for metric in others]
    uneven = len({row.n for row in main.values()}) > 1
    header += [("seeds", "number of runs")] if uneven else []
    rows = []
    for arm, row in main.items():
        cells = [Cell(text=arm, sort=arm, arm=arm, mark=row.mark), _mean(row)]
        cells += [_whisker(row, *scale)] if scale else []
        cells += _compared(row, reference) if compared else []
        cells += [_plain(rest.get((arm, metric))) for metric in others]
        rows.append([*cells, *([_count(row.n)] if uneven else [])])
    return Table(caption=f"Results in {world}", header=header, rows=rows)


def _headline(summary: Summary, arm: str, rows: Mapping[tuple[str, str], Row]) -> Row:
    """The arm's row of the headline; where it has none, one that says so."""
    if (arm, summary.headline) in rows:
        return rows[arm, summary.headline]
    other = next(row for (name, _), row in rows.items() if name == arm)
    return Row(world=other.world, arm=arm, metric=summary.headline, federated=other.federated, n=other.n)


def _known(summary: Summary, world: str, metric: str) -> bool:
    return any(r.mean is not None for r in summary.rows if r.world == world and r.metric == metric)


def _mean(row: Row) -> Cell:
    spread = f"± {value(row.sd)}" if row.sd is not None and row.n > 1 else ""
    return Cell(text=value(row.mean), sort=row.mean, faint=spread)


def _plain(row: Row | None) -> Cell:
    return Cell(text=value(None)) if row is None else Cell(text=value(row.mean), sort=row.mean)


def _compared(row: Row, reference: str) -> Iterator[Cell]:
    if row.arm == reference:
        yield from (Cell(text="reference", faint=""), Cell(), Cell())
        return
    yield Cell(text=signed(row.difference), sort=row.difference, faint=interval(row.dlow, row.dhigh, sign=True))
    yield Cell(text=probability(row.p_holm), sort=row.p_holm)
    yield Cell(text=signed(row.effect, 1), sort=row.effect)


def _scale(rows: Collection[Row]) -> tuple[float, float] | None:
    """From where to where intervals are drawn: those of federated arms in full; None where fewer than two are known."""
    federated = [end for row in rows if row.federated for end in (row.low, row.high) if end is not None]
    ends = federated + [row.mean for row in rows if row.mean is not None]
    return (min(ends), max(ends)) if len(federated) > 2 and min(ends) < max(ends) else None


def _whisker(row: Row, lowest: float, highest: float) -> Cell:
    if row.mean is None or row.low is None or row.high is None:
        return Cell()
    ends = (min(max((end - lowest) / (highest - lowest), 0), 1) for end in (row.low, row.mean, row.high))
    low, at, high = (100 * end for end in ends)
    said = interval(row.low, row.high)
    return Cell(text=said, sort=row.mean, arm=row.arm, whisker=Whisker(at, low, high))


def overview(summary: Summary) -> Table:
    """Means of the headline, a row per arm and a column per world."""
    comparison = summary.comparison
    found = {(row.world, row.arm): row for row in summary.rows if row.metric == summary.headline}
    rows = [
        [_arm(arm)] + [_marked(found[world, arm]) if (world, arm) in found else Cell() for world in comparison.worlds]
        for arm in comparison.arms
    ]
    header = [("arm", "what was run"), *((world, "mean over seeds") for world in comparison.worlds)]
    return Table(caption=f"{metric_name(summary.headline)} by world", header=header, rows=rows)


def _marked(row: Row) -> Cell:
    cell = _mean(row)
    return Cell(text=cell.text, sort=cell.sort, faint=cell.faint, mark=row.mark)


def clients(summary: Summary, world: str) -> Table | None:
    """How evenly the headline falls on clients."""
    rows = [row for row in summary.clients if row.world == world]
    if not rows:
        return None
    meaning = metric_name(rows[0].metric)
    header = [("arm", "what was run"), ("mean", f"{meaning}, over clients"), ("sd", "between clients")]
    header += [("worst", "the worst client's"), ("10 %", "the lowest decile"), ("90 %", "the highest decile")]
    header += [("Jain", "Jain's index of fairness, 1 when all clients are alike"), ("clients", "that have a value")]
    cells = [
        [_arm(r.arm), *map(_number, (r.mean, r.sd, r.worst, r.deciles[0], r.deciles[-1], r.jain)), _count(r.clients)]
        for r in rows
    ]
    return Table(caption=f"{meaning}, over clients", header=header, rows=cells)


def targets(summary: Summary, world: str) -> Table | None:
    """What it takes to reach the target, and what whole runs cost."""
    rows = [row for row in summary.targets if row.world == world]
    if not rows:
        return None
    goal, clock = f"{metric_name(rows[0].metric)} of {value(rows[0].target)}", rows[0].clock
    header = [("arm", "what was run"), ("reached by", f"runs that reach a {goal}")]
    header += [("rounds", f"until a {goal}, median"), ("bytes", f"up and down, until a {goal}, median")]
    header += [("time", f"{clock} time until a {goal}, median"), ("bytes in all", "up and down, mean of whole runs")]
    header += [("time in all", f"{clock} time, mean of whole runs")]
    return Table(caption=f"Cost until a {goal}", header=header, rows=[_target(row) for row in rows])


def _target(row: TargetRow) -> list[Cell]:
    return [
        _arm(row.arm),
        Cell(text=f"{row.reached} of {row.n}", sort=row.reached),
        _count(row.rounds),
        _told(row.bytes, size),
        _told(row.seconds, span),
        _told(row.all_bytes, size),
        _told(row.all_seconds, span),
    ]


def _arm(name: str) -> Cell:
    return Cell(text=name, sort=name, arm=name)


def _count(x: float | None) -> Cell:
    return _told(x, lambda number: f"{number:g}")


def _number(x: float) -> Cell:
    return Cell(text=value(x), sort=x)


def _told(x: float | None, say: Callable[[float], str]) -> Cell:
    return Cell(text="-") if x is None else Cell(text=say(x), sort=x)


def final(comparison: Comparison) -> Table:
    """The final metrics of a run: metrics as rows, scopes as columns."""
    (run,) = comparison.runs.values()
    scopes = {"test": "test", "best.test": "best round", "client.mean": "mean client", "client.worst": "worst client"}
    values = {scope: _scoped(run.final, scope) for scope in scopes}
    values = {scope: found for scope, found in values.items() if found}
    names = dict.fromkeys(name for found in values.values() for name in found)
    header = [("metric", "of the final evaluation"), *((scopes[scope], metric_name(f"{scope}.")) for scope in values)]
    rows = [
        [Cell(text=metric_name(name), sort=name)]
        + [Cell(text=number(found.get(name)), sort=found.get(name)) for found in values.values()]
        for name in names
    ]
    return Table(caption="Final metrics", header=header, rows=rows)


def _scoped(metrics: Mapping[str, object], scope: str) -> dict[str, float]:
    found = {name.removeprefix(f"{scope}."): v for name, v in metrics.items() if name.startswith(f"{scope}.")}
    return {
        name: float(v) for name, v in found.items() if "." not in name and name != "id" and isinstance(v, int | float)
    }


def runs(comparison: Comparison, metric: str) -> Table:
    """Every run, with its directory."""
    header = [("arm", "what was run"), ("world", "data, partition, annotation"), ("seed", "of the run")]
    header += [
        (metric_name(metric), "at the end"),
        ("rounds", "run"),
        ("time", "of all rounds"),
        ("folder", "of the run"),
    ]
    keys = sorted(comparison.runs, key=lambda key: _place(comparison, key))
    return Table(caption="Runs", header=header, rows=[_run(key, comparison.runs[key], metric) for key in keys])


def _run(key: Key, run: Run, metric: str) -> list[Cell]:
    world, arm, seed = key
    return [
        _arm(arm),
        Cell(text=world, sort=world),
        _count(seed),
        _told(run.final.get(metric), value),
        _count(run.final.get("rounds")),
        _told(run.final.get("seconds"), span),
        Cell(text=str(run.path), sort=str(run.path)),
    ]


def _place(comparison: Comparison, key: Key) -> tuple[int, int, int]:
    world, arm, seed = key
    return comparison.worlds.index(world), comparison.arms.index(arm), comparison.seeds.index(seed)
