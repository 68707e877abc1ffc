"""Further tables: fairness over clients, costs, the metrics of one run, and all runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fedmed.comparison.rows import Summary, TargetRow
from fedmed.comparison.runs import ComparedRun, Comparison, Key
from fedmed.formatting import byte_size, defined_share, duration, metric_name, number, value
from fedmed.report.tables.cells import HtmlTable, TableCell, arm_cell, count_cell, metric_cell, number_cell


def fairness_table(summary: Summary, world: str) -> HtmlTable | None:
    """How evenly the headline falls on clients."""
    rows = [row for row in summary.clients if row.world == world]
    if not rows:
        return None
    meaning = metric_name(rows[0].metric)
    header = [("arm", "what was run"), ("mean", f"{meaning}, over clients"), ("sd", "between clients")]
    header += [("worst", "the worst client's"), ("10 %", "the lowest decile"), ("90 %", "the highest decile")]
    header += [("Jain", "Jain's index of fairness, 1 when all clients are alike"), ("clients", "that have a value")]
    cells = [
        [
            arm_cell(r.arm),
            *map(metric_cell, (r.mean, r.sd, r.worst, r.deciles[0], r.deciles[-1], r.jain)),
            TableCell(text=count_cell(r.clients).text, sort=r.clients, faint=defined_share(r.clients, r.of).strip()),
        ]
        for r in rows
    ]
    return HtmlTable(caption=f"{meaning}, over clients", header=header, rows=cells)


def cost_table(summary: Summary, world: str) -> HtmlTable | None:
    """What it takes to reach the target, and what whole runs cost."""
    rows = [row for row in summary.targets if row.world == world]
    if not rows:
        return None
    target, clock = f"{metric_name(rows[0].metric)} of {value(rows[0].target)}", rows[0].clock
    header = [("arm", "what was run"), ("reached by", f"runs that reach a {target}")]
    header += [("rounds", f"until a {target}, median"), ("bytes", f"up and down, until a {target}, median")]
    header += [("time", f"{clock} time until a {target}, median"), ("bytes in all", "up and down, mean of whole runs")]
    header += [("time in all", f"{clock} time, mean of whole runs")]
    return HtmlTable(caption=f"Cost until a {target}", header=header, rows=[_target(row) for row in rows])


def _target(row: TargetRow) -> list[TableCell]:
    return [
        arm_cell(row.arm),
        TableCell(text=f"{row.reached} of {row.n}", sort=row.reached),
        count_cell(row.rounds),
        number_cell(row.bytes, byte_size),
        number_cell(row.seconds, duration),
        number_cell(row.all_bytes, byte_size),
        number_cell(row.all_seconds, duration),
    ]


def final_metrics_table(comparison: Comparison) -> HtmlTable:
    """The final metrics of a run: metrics as rows, scopes as columns."""
    (run,) = comparison.runs.values()
    scopes = {"test": "test", "best.test": "best round", "client.mean": "mean client", "client.worst": "worst client"}
    values = {scope: _scoped(run.final, scope) for scope in scopes}
    values = {scope: found for scope, found in values.items() if found}
    names = dict.fromkeys(name for found in values.values() for name in found)
    header = [("metric", "of the final evaluation"), *((scopes[scope], metric_name(f"{scope}.")) for scope in values)]
    rows = [
        [TableCell(text=metric_name(name), sort=name)]
        + [
            TableCell(text=number(found.get(name)), sort=found.get(name), faint=_rests(run.final, f"{scope}.{name}"))
            for scope, found in values.items()
        ]
        for name in names
    ]
    return HtmlTable(caption="Final metrics", header=header, rows=rows)


def _rests(final: Mapping[str, Any], name: str) -> str:
    """What a figure of final.json rests on, where that is not everything."""
    return defined_share(final.get(f"{name}.defined"), final.get(f"{name}.of")).strip()


def _scoped(metrics: Mapping[str, object], scope: str) -> dict[str, float]:
    found = {name.removeprefix(f"{scope}."): v for name, v in metrics.items() if name.startswith(f"{scope}.")}
    return {
        name: float(v) for name, v in found.items() if "." not in name and name != "id" and isinstance(v, int | float)
    }


def runs_table(comparison: Comparison, metric: str) -> HtmlTable:
    """Every run, with its directory."""
    header = [("arm", "what was run"), ("world", "data, partition, annotation"), ("seed", "of the run")]
    header += [
        (metric_name(metric), "at the end"),
        ("rounds", "run"),
        ("time", "of all rounds"),
        ("folder", "of the run"),
    ]
    keys = sorted(comparison.runs, key=lambda key: _place(comparison, key))
    rows = [_run(key, comparison.runs[key], metric) for key in keys]
    return HtmlTable(caption="Runs", header=header, rows=rows, worded=(1, 6))


def _run(key: Key, run: ComparedRun, metric: str) -> list[TableCell]:
    world, arm, seed = key
    return [
        arm_cell(arm),
        TableCell(text=world, sort=world),
        count_cell(seed),
        number_cell(run.final.get(metric), value),
        count_cell(run.final.get("rounds")),
        number_cell(run.final.get("seconds"), duration),
        TableCell(text=str(run.path), sort=str(run.path)),
    ]


def _place(comparison: Comparison, key: Key) -> tuple[int, int, int]:
    world, arm, seed = key
    return comparison.worlds.index(world), comparison.arms.index(arm), comparison.seeds.index(seed)
