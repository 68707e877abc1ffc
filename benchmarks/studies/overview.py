"""docs/results.md: one figure, one table and, for every problem, what works, what does not and what to use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.studies import cells, figures
from benchmarks.studies.record import Record, against
from benchmarks.studies.study import Study

Told = tuple[Study, Record]

HEAD = """\
# Results

Whether the methods do what their papers claim, and what to use for a problem, on synthetic worlds and real images.

![Differences to FedAvg or to the arm named, with 95 % intervals; green and red are sure](results/overview.svg)
"""

READ = """\
## How to read it

- **Same start.** Runs with the same seed share images, partition, first weights and order of clients. Differences are
  taken seed by seed, and given with the 95 % interval of their mean (Student's t). **Bold** where the interval leaves
  out 0. The intervals stand alone: nothing is corrected for how many of them there are.
- **Same budget.** Where arms have hyper-parameters to choose, each has equally many candidates, and validation chooses
  one, on seeds that are not reported. Ablations and references take the choice of the arm that they vary. Test images
  have their true labels.
- **Fixed beforehand.** Worlds, arms, rates and seeds stand in `benchmarks/studies/*.yaml` before a study runs; a page
  says when that was changed after test figures were seen.
- **Runs that failed** (they diverged, or a metric was undefined) are left out; "of 3 runs" says where there are fewer.
- **Pooled** trains one model on all clients' images, with as many gradient steps as all clients together; **local
  only** shares nothing.

`python -m benchmarks.studies` does all of them on two processes, in about {hours:.1f} hours, and writes these pages;
interrupted, the same command goes on. `python -m benchmarks.studies NAME` does one.
"""


def write(told: Sequence[Told], path: Path) -> None:
    """Writes the page and its picture."""
    panels = [
        (problem, [line for study, record in group for line in figures.lines(study, record)])
        for problem, group in groupby(told, key=lambda each: each[0].problem)
    ]
    (path.parent / path.stem).mkdir(exist_ok=True)
    figures.overview(panels, path.parent / path.stem / "overview.svg")
    circumstances = list(dict.fromkeys(name for study, _ in told for name in study.headline))
    rows = [row for study, record in told for row in _rows(study, record, circumstances)]
    lines = [HEAD, *cells.table("world", ["ours - other", "metric", "n", *circumstances], rows)]
    for study, _ in told:
        lines += _sentences(study, path.stem)
    hours = sum(record.seconds for _, record in told) / 3600 / 2
    path.write_text("\n".join([*lines, READ.format(hours=hours)]), encoding="utf-8")


def _rows(study: Study, record: Record, circumstances: Sequence[str]) -> list[list[str]]:
    seeds, rows = len(study.seeds), []
    for ours, other in study.glance:
        for world in study.worlds:
            found = [
                cells.interval(against(study, record, world, ours, other, study.headline[name]), seeds)
                if name in study.headline
                else ""
                for name in circumstances
            ]
            rows.append([world, f"{ours} - {other}", study.metrics[0], str(seeds), *found])
    return rows


def _sentences(study: Study, folder: str) -> list[str]:
    """What works, what does not, and what to use, as far as it was written."""
    said = [("Works", study.works), ("Does not", study.fails), ("Use", study.use)]
    lines = [f"- **{name}:** {text.strip()}" for name, text in said if text]
    return [f"**{study.problem}** ([{study.title}]({folder}/{study.name}.md))", "", *lines, ""]
