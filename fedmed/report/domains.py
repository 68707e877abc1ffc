"""Values by domain, such as hospital or scanner, of the server's test images: a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fedmed.comparison.runs import Comparison
from fedmed.formatting import metric_name
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dots import ArmValues, dot_plot
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.series import Values
from fedmed.report.tables.cells import HtmlTable, TableCell, mean_cell

START, OVERALL = "domain.", ("mean", "worst", "spread")
"""What names of values by domain begin with, and what is not a domain but over all of them."""


def domain_values(comparison: Comparison, world: str, metric: str) -> tuple[list[str], dict[str, Values]]:
    """Names of the domains, and by arm the metric (`auc`) of its seeds there (seeds, domains); nan where undefined."""
    finals = {arm: [run.final for run in series.arm_runs(comparison, world, arm)] for arm in comparison.arms}
    names = _names([final for of in finals.values() for final in of], metric)
    keys = [f"{START}{name}.{metric}" for name in names]
    found = {arm: np.array([[_number(final.get(k)) for k in keys] for final in of]) for arm, of in finals.items()}
    return names, {arm: values for arm, values in found.items() if values.size and np.isfinite(values).any()}


def _names(finals: Sequence[Mapping[str, object]], metric: str) -> list[str]:
    end = f".{metric}"
    keys = dict.fromkeys(key for final in finals for key in final if key.startswith(START) and key.endswith(end))
    names = [key[len(START) : -len(end)] for key in keys]
    return [name for name in names if name not in OVERALL]


def _number(found: object) -> float:
    return float(found) if isinstance(found, int | float) else float("nan")


def domain_figure(context: FigureContext, world: str, names: Sequence[str], found: ArmValues) -> RenderedFigure:
    """The figure of one metric: a row per domain, and in it a dot per arm."""
    label = metric_name(context.summary.headline.rpartition(".")[2])
    return dot_plot(context, world, names, found, name="sites", title=f"{label} by domain", x=label)


def domain_table(names: Sequence[str], found: ArmValues, metric: str) -> HtmlTable:
    """The table of one metric: a row per domain and a column per arm, each cell a mean over seeds."""
    label = metric_name(metric)
    header = [("domain", "of the test images"), *((arm, f"{label}, mean over seeds") for arm in found)]
    columns = [*found.values()]
    rows = [[TableCell(text=n, sort=n), *(mean_cell(column[:, k]) for column in columns)] for k, n in enumerate(names)]
    return HtmlTable(caption=f"{label} by domain", header=header, rows=rows)
