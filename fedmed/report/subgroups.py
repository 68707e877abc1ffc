"""Values by part of the test images, a domain (hospital, scanner) or a group (sex, age): tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

import numpy as np

from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.formatting import defined_share, interval, metric_name
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dots import ArmValues, dot_plot
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.series import Values
from fedmed.report.tables.cells import HtmlTable, TableCell, mean_cell, metric_cell

KINDS = re.compile(r"(domain|group\.[\w-]+)\.")
"""What names of values by part begin with."""

OVERALL = ("mean", "worst", "spread", "gap")
"""What is no part but over all of them."""

UNKNOWN = "unknown"
"""As which images are counted that are in no group."""

SHOWN = ("worst", "spread", "gap")
"""Rows of a table that are over all parts, as `fedmed.run.subgroups` has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartValues:
    """One metric by part.

    kind: `domain` or `group.sex`. metric: without its scope. higher: whether a higher value is better, None for no
    direction. images: of each part, in order; None where the runs do not tell. unscored: parts that have no metric at
    all, of too few images or of those that are in no group. arms: (seeds, parts), nan where undefined. over: what is
    over all parts, by its name in `SHOWN`, then arm (seeds,). asides: by arm, what stands behind the value of each
    part: its interval where the arm has one seed, and on how many classes it rests where that is not all.
    """

    kind: str
    metric: str
    higher: bool | None
    images: Mapping[str, int | None]
    unscored: frozenset[str]
    arms: ArmValues
    over: Mapping[str, ArmValues]
    asides: Mapping[str, Sequence[str]]

    @property
    def noun(self) -> str:
        """What the parts are of: `domain`, `sex`."""
        return self.kind.rpartition(".")[2]


def kinds_of(comparison: Comparison, world: str) -> list[str]:
    """By what the test images of a world are told apart: `domain`, `group.sex`."""
    runs = [run for arm in comparison.arms for run in series.arm_runs(comparison, world, arm)]
    return list(dict.fromkeys(match[1] for run in runs for name in run.final if (match := KINDS.match(name))))


def part_values(comparison: Comparison, world: str, kind: str, metric: str) -> PartValues | None:
    """The metric (`auc`) by part; None where no run of the world has it so."""
    runs = {arm: series.arm_runs(comparison, world, arm) for arm in comparison.arms}
    every = [run for of in runs.values() for run in of]
    images = _images(every, kind, metric)
    keys = [f"{kind}.{name}.{metric}" for name in images]
    arms = {arm: np.array([[_number(run.final.get(k)) for k in keys] for run in of]) for arm, of in runs.items()}
    arms = {arm: values for arm, values in arms.items() if values.size and np.isfinite(values).any()}
    if not arms:
        return None
    return PartValues(
        kind=kind,
        metric=metric,
        higher=every[0].directions.get(metric),
        images=images,
        unscored=frozenset(images) - _scored(every, kind, images),
        arms=arms,
        over=_over({arm: runs[arm] for arm in arms}, kind, metric),
        asides={arm: [_aside(runs[arm], key) for key in keys] for arm in arms},
    )


def _images(runs: Sequence[ComparedRun], kind: str, metric: str) -> dict[str, int | None]:
    """Every part that has the metric, or too few images for one, with its images."""
    found: dict[str, int | None] = {}
    for name in dict.fromkeys(name for run in runs for name in run.final if name.startswith(f"{kind}.")):
        part, _, what = name.removeprefix(f"{kind}.").rpartition(".")
        if what in (metric, "images") and part not in ("", *OVERALL):
            found.setdefault(part, None)
    for part in found:
        counts = (run.final.get(f"{kind}.{part}.images") for run in runs)
        found[part] = next((int(n) for n in counts if isinstance(n, int | float)), None)
    return found


def _scored(runs: Sequence[ComparedRun], kind: str, parts: Iterable[str]) -> set[str]:
    """The parts of which any run tells more than their images."""
    names = {name for run in runs for name in run.final if not name.endswith(".images")}
    return {part for part in parts if any(name.startswith(f"{kind}.{part}.") for name in names)}


def _over(runs: Mapping[str, Sequence[ComparedRun]], kind: str, metric: str) -> dict[str, ArmValues]:
    found: dict[str, ArmValues] = {}
    for what in SHOWN:
        key = f"{kind}.{what}.{metric}"
        values = {arm: np.array([_number(run.final.get(key)) for run in of]) for arm, of in runs.items()}
        if any(np.isfinite(each).any() for each in values.values()):
            found[what] = values
    return found


def _aside(runs: Sequence[ComparedRun], key: str) -> str:
    """What stands behind a value; several seeds have a spread of their own instead of an interval."""
    low, high = (_number(runs[0].final.get(f"{key}.{end}")) for end in ("low", "high"))
    ends = interval(low, high) if len(runs) == 1 else ""
    counts = [[_number(run.final.get(f"{key}.{count}")) for count in ("defined", "of")] for run in runs]
    known = [each for each in counts if all(map(isfinite, each))]
    share = defined_share(*map(fmean, zip(*known, strict=True))) if known else ""
    return f"{ends}{share}".strip()


def _number(found: object) -> float:
    return float(found) if isinstance(found, int | float) else float("nan")


def part_figure(context: FigureContext, world: str, found: PartValues) -> RenderedFigure:
    """The figure of one metric: a row per part that has a value, and in it a dot per arm."""
    known = np.any([np.isfinite(values).any(0) for values in found.arms.values()], axis=0)
    names = [_label(*part) for part, is_known in zip(found.images.items(), known, strict=True) if is_known]
    label = metric_name(context.summary.headline.rpartition(".")[2])
    name, title = "sites" if found.kind == "domain" else f"group-{found.noun}", f"{label} by {found.noun}"
    arms = {arm: values[:, known] for arm, values in found.arms.items()}
    return dot_plot(context, world, names, arms, name=name, title=title, x=label)


def _label(name: str, images: int | None) -> str:
    return name if images is None else f"{name} ({images:,})"


def part_table(found: PartValues) -> HtmlTable:
    """The table of one metric: a row per part and a column per arm, each cell a mean over seeds, the worst marked."""
    label = metric_name(found.metric)
    counted = any(images is not None for images in found.images.values())
    header = [(found.noun, "of the test images"), *([("images", "of the test set")] if counted else [])]
    header += [(arm, f"{label}, mean over seeds") for arm in found.arms]
    worst = {arm: _worst(values, found.higher) for arm, values in found.arms.items()}
    rows = [
        [
            TableCell(text=name, sort=name),
            *([_count(images)] if counted else []),
            *(_cell(found, arm, at, worst=worst[arm] == at) for arm in found.arms),
        ]
        for at, (name, images) in enumerate(found.images.items())
    ]
    blank = [TableCell()] if counted else []
    rows += [
        [TableCell(text=what), *blank, *(mean_cell(values[arm]) for arm in found.arms)]
        for what, values in found.over.items()
    ]
    return HtmlTable(caption=f"{label} by {found.noun}", header=header, rows=rows)


def _count(images: int | None) -> TableCell:
    return metric_cell(None) if images is None else TableCell(text=f"{images:,}", sort=images)


def _cell(found: PartValues, arm: str, at: int, *, worst: bool) -> TableCell:
    values, part = found.arms[arm][:, at], [*found.images][at]
    if not np.isfinite(values).any():
        why = "in no group" if part == UNKNOWN else "too few images" if part in found.unscored else "not defined"
        return TableCell(text="-", faint=why)
    cell = mean_cell(values)
    faint = " ".join(filter(None, (cell.faint, found.asides[arm][at], "worst" * worst)))
    return TableCell(text=cell.text, sort=cell.sort, faint=faint, alert=worst)


def _worst(values: Values, higher: bool | None) -> int | None:
    """The number of the part whose mean over seeds is worst; None where parts are alike or nobody says which is."""
    means = [float(np.nanmean(column)) if np.isfinite(column).any() else float("nan") for column in values.T]
    known = [mean for mean in means if isfinite(mean)]
    if higher is None or len(set(known)) < 2:
        return None
    return means.index((min if higher else max)(known))


def part_sections(comparison: Comparison, world: str, metric: str) -> Iterator[PartValues]:
    """The metric by every kind of part that the world has it by."""
    for kind in kinds_of(comparison, world):
        if (found := part_values(comparison, world, kind, metric)) is not None:
            yield found
