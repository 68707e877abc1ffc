"""A page per study: what is claimed, in which worlds, every arm, what validation chose, and the commands."""

from __future__ import annotations

from pathlib import Path

from benchmarks.studies import cells, figures
from benchmarks.studies.record import Record, against
from benchmarks.studies.study import Study


def write(study: Study, record: Record, folder: Path) -> None:
    """Writes the page and its pictures."""
    figures.differences(study, record, folder / f"{study.name}.svg")
    lines = [f"# {study.title}", "", f"**Claim.** {study.claim.strip()}", "", study.about.strip(), ""]
    if study.changed:
        lines += [f"**Changed after test figures were seen.** {study.changed.strip()}", ""]
    if record.design != study.design:
        lines += ["The figures are of an earlier form of this study: `python -m benchmarks.studies` does it again.", ""]
    lines += [f"{_hours(record)} of computing, `python -m benchmarks.studies {study.name}`;"]
    lines += ["[how to read the tables](../results.md#how-to-read-it).", ""]
    lines += [f"![Differences to {study.reference}, with 95 % intervals]({study.name}.svg)", ""]
    if study.curves:
        figures.curves(study, record, folder / f"{study.name}_rounds.svg")
        lines += [f"![{study.metrics[0]} over rounds, mean of the seeds]({study.name}_rounds.svg)", ""]
    for world in study.worlds:
        lines += [f"## {world}", "", *_world(study, record, world)]
    (folder / f"{study.name}.md").write_text("\n".join(lines), encoding="utf-8")


def _hours(record: Record) -> str:
    return f"{record.seconds / 3600:.1f} hours"


def _world(study: Study, record: Record, world: str) -> list[str]:
    lines = _arms(study, record, world)
    lines += cells.table(f"{study.metrics[0]}, difference", ["mean [95 %]"], _pairs(study, record, world))
    lines += cells.table("audit, last round", list(study.audits), _audits(study, record, world))
    if world in study.reading:
        lines += [study.reading[world].strip(), ""]
    lines += ["<details><summary>Commands</summary>", "", "```"]
    lines += [f"# {arm}\n{study.command(world, arm, record.candidate(world, arm))}" for arm in study.arms]
    return [*lines, "```", "", "</details>", ""]


def _arms(study: Study, record: Record, world: str) -> list[str]:
    header = []
    for name in study.metrics:
        header += [f"{name} (sd)", f"to {study.reference} [95 %]"]
    rows, seeds = [], len(study.seeds)
    for arm in study.arms:
        row = [arm]
        for name in study.metrics:
            row.append(cells.mean(record.of(world, arm, study.metric(name, arm)).values(), seeds))
            row.append(cells.interval(against(study, record, world, arm, study.reference, name), seeds))
        rows.append([*row, " ".join(f"`{o.removeprefix('strategy.')}`" for o in record.candidate(world, arm))])
    return cells.table("arm", [*header, "chosen"], rows)


def _pairs(study: Study, record: Record, world: str) -> list[list[str]]:
    seeds, name = len(study.seeds), study.metrics[0]
    return [
        [f"{ours} - {other}", cells.interval(against(study, record, world, ours, other, name), seeds)]
        for ours, other in study.pairs
    ]


def _audits(study: Study, record: Record, world: str) -> list[list[str]]:
    rows = []
    for arm in study.arms:
        found = [cells.mean(record.audit(world, arm, name).values(), len(study.seeds)) for name in study.audits]
        if any(cell != "-" for cell in found):
            rows.append([arm, *found])
    return rows
