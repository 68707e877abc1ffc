"""The page: one file with everything in it, for a comparison or for one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedmed.comparison.explore import other_metrics
from fedmed.comparison.holdout import held_out_tables
from fedmed.comparison.rows import Summary
from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.comparison.summary import summarise
from fedmed.files import write_atomically
from fedmed.formatting import metric_name
from fedmed.report import conclusions
from fedmed.report.choices import Choice, stylesheet
from fedmed.report.figures import style
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.differences import rank_diagram
from fedmed.report.images.collection import SharedImages
from fedmed.report.rendering import render_template
from fedmed.report.tables import details, results
from fedmed.report.tables.cells import HtmlTable
from fedmed.report.world import world_section

NAME = "report.html"

MARKS = {"best": "best", "near": "n.s."}

VERSIONS = ("fedmed", "python", "torch", "flwr", "numpy", "monai", "commit", "platform", "cpu", "gpu")
"""Entries of environment.json that the page shows, where runs have them."""

COMMANDS = 24
"""Commands at most that the page lists."""


def write(comparison: Comparison, folder: Path) -> Path:
    """Writes report.html into the folder, and its figures as PNG and SVG into `figures` beside it; the page's path."""
    return write_summary(summarise(comparison), folder)


def write_summary(summary: Summary, folder: Path) -> Path:
    """Writes report.html and its figures for a comparison that was summarised; the page's path."""
    with style.figure_style():
        page = render(summary, FigureContext(summary=summary, folder=folder / "figures"))
    write_atomically(folder / NAME, page)
    return folder / NAME


def render(summary: Summary, context: FigureContext) -> str:
    """The page as HTML text."""
    return render_template("page.html", **_content(summary, context))


def _content(summary: Summary, context: FigureContext) -> dict[str, Any]:
    comparison, shared_images, notes = summary.comparison, SharedImages(), list(summary.notes)
    metrics = other_metrics(summary)
    contexts = [context, *(FigureContext(summary=each) for each in metrics[1:])]
    worlds = [world_section(contexts, name, shared_images, notes) for name in comparison.worlds]
    metric = Choice(id="metric", label="Metric", options=[metric_name(each.headline) for each in metrics])
    headline, explanation = conclusions.headline(summary)
    environments = [_environment(run) for run in comparison.runs.values()]
    return {
        "title": conclusions.title(summary),
        "kicker": f"{conclusions.title(summary)} · {', '.join(comparison.worlds)}",
        "headline": headline,
        "details": explanation,
        "facts": conclusions.facts(summary),
        "metric": metric,
        "untested": [n for n, each in enumerate(metrics) if each.headline not in summary.metrics],
        "option": comparison.metric,
        "choices": stylesheet([metric, *(choice for each in worlds for choice in each.choices)]),
        "worlds": worlds,
        "held_out": [_held_out(each) for each in metrics],
        "overviews": [results.overview_table(each) for each in metrics],
        "ranks": rank_diagram(context, summary.ranking) if summary.ranking else None,
        "notes": notes,
        "commands": _commands(environments),
        "versions": [("seeds", ", ".join(map(str, comparison.seeds))), *_versions(environments)],
        "runs": details.runs_table(comparison, summary.headline),
        "images": list(shared_images.uris),
        "colors": {arm: f"var({style.THEME[each.color]})" for arm, each in context.arm_styles.items()},
        "marks": MARKS,
    }


def _held_out(summary: Summary) -> list[tuple[str, HtmlTable]]:
    """What worlds have in common that differ in the held-out site, and their table."""
    return [(each.world, results.held_out_table(each)) for each in held_out_tables(summary)]


def _environment(run: ComparedRun) -> Mapping[str, Any]:
    try:
        found = json.loads((run.path / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _commands(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """The command lines of the runs, each once."""
    found = list(dict.fromkeys(str(each["command"]) for each in environments if each.get("command")))
    rest = len(found) - COMMANDS
    return [*found[:COMMANDS], f"# and {rest} more, in environment.json of each run"] if rest > 0 else found


def _versions(environments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name in VERSIONS:
        if versions := dict.fromkeys(_version(name, each[name]) for each in environments if each.get(name)):
            yield name, ", ".join(versions)


def _version(name: str, found: object) -> str:
    """The version as text; of a commit the first ten characters."""
    return re.sub(r"^([0-9a-f]{10})[0-9a-f]+", r"\1", str(found)) if name == "commit" else str(found)
