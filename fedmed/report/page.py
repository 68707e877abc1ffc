"""The page: one file with everything in it, for a comparison or for one run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmed import __version__
from fedmed.comparison.rows import Summary
from fedmed.comparison.runs import Comparison, Run
from fedmed.comparison.summary import summarise
from fedmed.errors import UserError
from fedmed.files import write_atomically
from fedmed.report import accounts, ink, series, standings, story
from fedmed.report.audits import audits
from fedmed.report.cells import Table
from fedmed.report.differences import forest, ranks
from fedmed.report.ink import Picture
from fedmed.report.lines import cost, curves
from fedmed.report.panels import boards
from fedmed.report.sheet import Sheet
from fedmed.report.strips import clients
from fedmed.report.views import Album, Board, views
from fedmed.results.picture_file import load_picture

NAME = "report.html"

ASSETS = {"style": "style.css", "script": "page.js"}

MARKS = {"best": "best", "near": "n.s."}

VERSIONS = ("fedmed", "python", "torch", "flwr", "numpy", "monai", "commit", "platform", "cpu", "gpu")
"""What is told of the environment of runs, where they have it."""

COMMANDS = 24
"""The most commands that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the page says about one world."""

    id: str
    name: str
    tables: Sequence[Table]
    figures: Sequence[Picture]
    boards: Sequence[Board]
    audits: Sequence[Picture]
    spread: Table | None
    targets: Table | None
    federation: Picture | None


def write(comparison: Comparison, folder: Path) -> Path:
    """Writes report.html into the folder, and its figures as PNG and SVG into `figures` beside it; the page's path."""
    return write_summary(summarise(comparison), folder)


def write_summary(summary: Summary, folder: Path) -> Path:
    """The same for a comparison that was summarised."""
    with ink.drawing():
        page = render(summary, Sheet(summary=summary, folder=folder / "figures"))
    write_atomically(folder / NAME, page)
    return folder / NAME


def render(summary: Summary, sheet: Sheet) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("fedmed.report", "template")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    assets = {name: Markup(loader.get_source(pages, file)[0]) for name, file in ASSETS.items()}
    return pages.get_template("page.html").render(**_content(summary, sheet), **assets)


def _content(summary: Summary, sheet: Sheet) -> dict[str, Any]:
    comparison, album, notes = summary.comparison, Album(), list(summary.notes)
    worlds = [_world(sheet, world, album, notes) for world in comparison.worlds]
    headline, details = story.headline(summary)
    environments = [_environment(run) for run in comparison.runs.values()]
    return {
        "title": story.title(summary),
        "kicker": f"{story.title(summary)} · {', '.join(comparison.worlds)}",
        "headline": headline,
        "details": details,
        "facts": story.facts(summary),
        "worlds": worlds,
        "overview": standings.overview(summary),
        "ranks": ranks(sheet, summary.ranking) if summary.ranking else None,
        "notes": notes,
        "commands": _commands(environments),
        "versions": [("seeds", ", ".join(map(str, comparison.seeds))), *_versions(environments)],
        "runs": accounts.runs(comparison, summary.headline),
        "version": __version__,
        "images": list(album.uris),
        "colors": {arm: f"var({ink.THEME[look.color]})" for arm, look in sheet.looks.items()},
        "marks": MARKS,
    }


def _world(sheet: Sheet, world: str, album: Album, notes: list[str]) -> World:
    summary = sheet.summary
    shown = views(sheet.comparison, world, notes)
    alone = len(sheet.comparison.runs) == 1
    return World(
        id=f"world{sheet.comparison.worlds.index(world) + 1}",
        name=world,
        tables=[accounts.final(sheet.comparison) if alone else standings.results(summary, world)],
        figures=_drawn(curves(sheet, world), cost(sheet, world), forest(sheet, world), clients(sheet, world)),
        boards=list(boards(shown, album)) if shown else [],
        audits=audits(sheet, world),
        spread=accounts.clients(summary, world),
        targets=accounts.targets(summary, world),
        federation=_federation(sheet, world, notes),
    )


def _drawn(*pictures: Picture | None) -> list[Picture]:
    return [picture for picture in pictures if picture is not None]


def _federation(sheet: Sheet, world: str, notes: list[str]) -> Picture | None:
    """Who holds what, in the first run of the world that kept it; what pools all images holds nothing apart."""
    from fedmed.results.picture_plot import picture_figure

    comparison = sheet.comparison
    for run in (run for arm in comparison.arms for run in series.runs_of(comparison, world, arm)):
        try:
            picture = None if run.config.get("pooled") else load_picture(run.path)
        except UserError as error:
            notes += [str(fault) for fault in error.faults]
            continue
        if picture is not None:
            title = f"Of seed {run.seed}; others divide the same images anew." if len(comparison.seeds) > 1 else ""
            alt = f"Who holds what: {picture.subtitle}."
            return sheet.write(picture_figure(picture), "federation", world, title=title, note="", alt=alt, wide=True)
    return None


def _environment(run: Run) -> Mapping[str, Any]:
    try:
        found = json.loads((run.path / "environment.json").read_text())
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
        if said := dict.fromkeys(_version(name, each[name]) for each in environments if each.get(name)):
            yield name, ", ".join(said)


def _version(name: str, said: object) -> str:
    """A commit by its first characters."""
    return re.sub(r"^([0-9a-f]{10})[0-9a-f]+", r"\1", str(said)) if name == "commit" else str(said)
