"""What only a simulation knows about a method's inner values, drawn by what the audit rows are called.

A row of `PLOTS` fits every method whose audit has such quantities; a method that none fits gets its quantities over
rounds. So a new method needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from fedmed.comparison.runs import ComparedRun
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_band
from fedmed.report.figures.labels import LineLabel, label_line_ends, names_width, title_axes
from fedmed.report.figures.overlap import redraw_overlaps
from fedmed.report.figures.style import ARMS, FAINT, ArmStyle, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks
from fedmed.report.series import Band, Values

MOST = 6
"""Lines of a figure that no description fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlot:
    """A figure, and the quantities that it needs.

    lines: name of a line, and a pattern of quantities that it takes together. against: a column of the audit rows that
    the one quantity should equal, instead of lines over rounds. total: whether quantities are added up per client.
    """

    title: str
    note: str
    y: str
    lines: Mapping[str, str]
    against: str | None = None
    total: bool = False


PLOTS = (
    AuditPlot(
        title="Indicator against truth",
        note="A dot is one client in one seed: the completeness that the method estimated, and the true one.",
        y="estimated completeness",
        lines={"indicator": "indicator"},
        against="completeness",
    ),
    AuditPlot(
        title="What was added to the annotation",
        note="Pixels: how many that were added are right, and how many that were missing have been found.",
        y="share",
        lines={"precision": "added.precision", "recall": "added.recall"},
    ),
    AuditPlot(
        title="Tags",
        note="Labels that the method gave itself: how many are right, how many findings it found, how many it gave.",
        y="share",
        lines={
            "precision": "tag_precision.*",
            "of tags present": "tag_precision_present.*",
            "of tags absent": "tag_precision_absent.*",
            "recall": "tag_recall.*",
            "coverage": "tag_coverage.*",
        },
    ),
    AuditPlot(
        title="Similarity of features",
        note="Mean cosine of features of one class, and of two: the further apart, the better classes are told apart.",
        y="cosine",
        lines={"same class": "cosine.own", "other class": "cosine.other"},
    ),
    AuditPlot(
        title="Prototypes",
        note="How many a client sends, and how many it gets back.",
        y="prototypes per client",
        lines={"sent": "sent.[0-9]*", "received": "received.[0-9]*"},
        total=True,
    ),
)


def audit_figures(context: FigureContext, world: str) -> list[RenderedFigure]:
    """The audit figures of every arm in a world, in the order of arms, members and descriptions."""
    return [picture for arm in context.comparison.arms for picture in _of_arm(context, world, arm)]


def _of_arm(context: FigureContext, world: str, arm: str) -> Iterator[RenderedFigure]:
    runs = series.arm_runs(context.comparison, world, arm)
    for member, names in _members(runs).items():
        fitting = [plot for plot in PLOTS if any(_matching(names, pattern) for pattern in plot.lines.values())]
        for plot in fitting or [_plain(member, names)]:
            lines = {line: _matching(names, pattern) for line, pattern in plot.lines.items()}
            lines = {line: [f"{member}.{name}" for name in found] for line, found in lines.items() if found}
            if picture := _drawn(context, world, arm, plot, runs, lines):
                yield picture


def _members(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """Quantities in the audit rows by the member of the chain that they are of."""
    names = dict.fromkeys(name for run in runs for row in run.audit for name in row if "." in name)
    members: dict[str, list[str]] = {}
    for name in names:
        member, _, quantity = name.partition(".")
        members.setdefault(member, []).append(quantity)
    return members


def _matching(names: Sequence[str], pattern: str) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)]


def _plain(member: str, names: Sequence[str]) -> AuditPlot:
    """Quantities over rounds, without those that are values by class."""
    chosen = [name for name in names if not name.rpartition(".")[2].isdecimal()][:MOST]
    note = "What the method noted about itself."
    return AuditPlot(title=member, note=note, y="value", lines={name: name for name in chosen})


def _drawn(
    context: FigureContext,
    world: str,
    arm: str,
    plot: AuditPlot,
    runs: Sequence[ComparedRun],
    lines: Mapping[str, Sequence[str]],
) -> RenderedFigure | None:
    name = f"audit_{arm}_{plot.title}".lower()
    file = "".join(letter if letter.isalnum() else "_" for letter in name)
    title = f"{plot.title} · {arm}" if context.several else plot.title
    if plot.against:
        (quantities,) = lines.values()
        pairs = series.last_pairs(runs, plot.against, quantities[0])
        return _scatter(context, world, file, title, plot, pairs, context.arm_styles[arm].color) if len(pairs) else None
    bands = {line: series.audited(runs, of, plot.total) for line, of in lines.items()}
    found = {line: band for line, band in bands.items() if band is not None}
    return _lines(context, world, file, title, plot, found) if found else None


def _lines(
    context: FigureContext, world: str, file: str, title: str, plot: AuditPlot, lines: Mapping[str, Band]
) -> RenderedFigure:
    figure, ax = new_figure()
    place_axes(figure, ax, left=0.42, right=names_width(list(lines)) if len(lines) > 1 else 0.15, top=0.36)
    colors = dict(zip(lines, ARMS, strict=False))
    for name, line in lines.items():
        draw_band(ax, line, ArmStyle(colors[name], "-"))
    set_x_ticks(ax, integer=True)
    ax.grid(axis="y")
    if len(lines) > 1:
        label_line_ends(ax, [LineLabel(name, float(line.mean[-1]), colors[name]) for name, line in lines.items()])
    title_axes(ax, "round", plot.y)
    together = redraw_overlaps(ax, lines, colors)
    note = f"{plot.note} {together} Mean over clients and seeds; band: quartiles over clients."
    last_values = ", ".join(f"{name} {line.mean[-1]:.3g}" for name, line in lines.items())
    return context.write(
        figure, file, world, title=title, note=note, alt=f"{title}, by round. At the end: {last_values}."
    )


def _scatter(
    context: FigureContext, world: str, file: str, title: str, plot: AuditPlot, pairs: Values, color: str
) -> RenderedFigure:
    figure, ax = new_figure()
    place_axes(figure, ax, left=0.42, right=0.15, top=0.36)
    ends = (min(0.0, float(pairs.min())), max(1.0, float(pairs.max())))
    ax.plot(ends, ends, color=FAINT, linewidth=0.9)
    ax.plot(*pairs.T, "o", color=color, markersize=4.5, alpha=0.6, markeredgewidth=0, clip_on=False)
    ax.grid()
    ax.set(xlim=ends, ylim=ends)
    title_axes(ax, f"true {plot.against}", plot.y)
    error = float(np.abs(pairs[:, 1] - pairs[:, 0]).mean())
    alt = f"{title}: {len(pairs)} clients; on average the estimate is {error:.3f} away from the truth."
    note = f"{plot.note} On average they are {error:.3f} apart."
    return context.write(figure, file, world, title=title, note=note, alt=alt)
