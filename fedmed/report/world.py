"""What the page says about one world: by every metric that can be chosen, class by class, in images, at clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fedmed.comparison.rows import Summary
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.choices import Choice
from fedmed.report.class_values import class_figure, class_metrics, class_table, options
from fedmed.report.domains import site_figure, site_table, sites
from fedmed.report.evaluations import Evaluations, evaluations
from fedmed.report.figures.audits import audits
from fedmed.report.figures.class_curves import quality
from fedmed.report.figures.clients import clients
from fedmed.report.figures.context import Sheet
from fedmed.report.figures.dice import dice_by_class, dice_by_image
from fedmed.report.figures.differences import forest
from fedmed.report.figures.learning_curves import cost, curves
from fedmed.report.figures.style import Picture
from fedmed.report.images.boards import boards
from fedmed.report.images.collection import Album, Board, views
from fedmed.report.tables import details, results
from fedmed.report.tables.cells import Table
from fedmed.report.tables.confusion_matrix import Matrix, matrix
from fedmed.rundir.federation import load_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who stands where by one metric."""

    table: Table | None
    figures: Sequence[Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """Values by domain. shown: numbers of the metrics with which they are."""

    shown: Sequence[int]
    table: Table
    figure: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmClasses:
    """What one arm says of every class."""

    matrix: Matrix | None
    table: Table
    figure: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """Class by class: arms and metrics to choose among, and what is of all of them."""

    arm: Choice
    arms: Sequence[ArmClasses]
    metric: Choice
    metrics: Sequence[Picture]
    figures: Sequence[Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything. standings: by metric, the headline first."""

    id: str
    name: str
    final: Table | None
    standings: Sequence[Standing]
    figures: Sequence[Picture]
    classes: Classes | None
    domains: Sequence[Domains]
    boards: Sequence[Board]
    audits: Sequence[Picture]
    spread: Table | None
    targets: Table | None
    federation: Picture | None

    @property
    def choices(self) -> list[Choice]:
        """Those of its own."""
        return [self.classes.arm, self.classes.metric] if self.classes else []


def world(sheets: Sequence[Sheet], name: str, album: Album, notes: list[str]) -> World:
    """What is told. sheets: by metric, the headline first. notes: gets what cannot be read."""
    sheet, summary = sheets[0], sheets[0].summary
    shown, alone = views(sheet.comparison, name, notes), len(sheet.comparison.runs) == 1
    found, id = evaluations(sheet.comparison, name, notes), f"world{sheet.comparison.worlds.index(name) + 1}"
    return World(
        id=id,
        name=name,
        final=details.final(sheet.comparison) if alone else None,
        standings=[_standing(each, name, alone=alone) for each in sheets],
        figures=_drawn(clients(sheet, name)),
        classes=_classes(sheet, name, id, found) if found else None,
        domains=_domains(sheets, name),
        boards=list(boards(shown, album)) if shown else [],
        audits=audits(sheet, name),
        spread=details.clients(summary, name),
        targets=details.targets(summary, name),
        federation=_federation(sheet, name, notes),
    )


def _drawn(*pictures: Picture | None) -> list[Picture]:
    return [picture for picture in pictures if picture is not None]


def _standing(sheet: Sheet, world: str, *, alone: bool) -> Standing:
    known = any(row.mean is not None for row in sheet.rows(world))
    table = results.results(sheet.summary, world) if known and not alone else None
    return Standing(table=table, figures=_drawn(curves(sheet, world), cost(sheet, world), forest(sheet, world)))


def _classes(sheet: Sheet, world: str, id: str, found: Evaluations) -> Classes:
    metrics = class_metrics(found)
    arms = [
        ArmClasses(
            matrix=matrix(found, arm),
            table=class_table(found, metrics, arm),
            figure=dice_by_class(sheet, world, found, arm),
        )
        for arm in found.arms
    ]
    return Classes(
        arm=Choice(id=f"{id}-arm", label="Arm", options=[*found.arms]),
        arms=arms,
        metric=Choice(id=f"{id}-class", label="Metric per class", options=options([*metrics])),
        metrics=[
            class_figure(replace(sheet, folder=None) if number else sheet, world, found, *each)
            for number, each in enumerate(metrics.items())
        ],
        figures=[*_drawn(dice_by_image(sheet, world, found)), *quality(sheet, world, found)],
    )


def _domains(sheets: Sequence[Sheet], world: str) -> list[Domains]:
    """Those of every metric that some run has by domain; scopes of one metric share theirs."""
    numbers: dict[str, list[int]] = {}
    for number, sheet in enumerate(sheets):
        numbers.setdefault(base_metric(sheet.summary), []).append(number)
    told = []
    for metric, shown in numbers.items():
        names, found = sites(sheets[0].comparison, world, metric)
        if found:
            figure = site_figure(sheets[shown[0]], world, names, found)
            told.append(Domains(shown=shown, table=site_table(names, found, metric), figure=figure))
    return told


def base_metric(summary: Summary) -> str:
    """The headline without its scope."""
    return summary.headline.rpartition(".")[2]


def _federation(sheet: Sheet, world: str, notes: list[str]) -> Picture | None:
    """Who holds what, in the first run of the world that kept it; what pools all images holds nothing apart."""
    from fedmed.report.figures.federation import picture_figure

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
