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
from fedmed.report.evaluations import WorldEvaluations, evaluations
from fedmed.report.figures.audits import audits
from fedmed.report.figures.class_curves import quality
from fedmed.report.figures.clients import clients
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dice import dice_by_class, dice_by_image
from fedmed.report.figures.differences import forest
from fedmed.report.figures.learning_curves import cost, curves
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.images.boards import boards
from fedmed.report.images.collection import ImageGrid, SharedImages, arm_images
from fedmed.report.tables import details, results
from fedmed.report.tables.cells import HtmlTable
from fedmed.report.tables.confusion_matrix import ConfusionMatrix, confusion_matrix
from fedmed.rundir.federation import load_federation


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSection:
    """Who stands where by one metric."""

    table: HtmlTable | None
    figures: Sequence[RenderedFigure]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSection:
    """Values by domain. shown: numbers of the metrics with which they are."""

    shown: Sequence[int]
    table: HtmlTable
    figure: RenderedFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmClassSection:
    """What one arm says of every class."""

    matrix: ConfusionMatrix | None
    table: HtmlTable
    figure: RenderedFigure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSection:
    """Class by class: arms and metrics to choose among, and what is of all of them."""

    arm: Choice
    arms: Sequence[ArmClassSection]
    metric: Choice
    metrics: Sequence[RenderedFigure]
    figures: Sequence[RenderedFigure]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSection:
    """Everything. standings: by metric, the headline first."""

    id: str
    name: str
    final: HtmlTable | None
    standings: Sequence[MetricSection]
    figures: Sequence[RenderedFigure]
    classes: ClassSection | None
    domains: Sequence[DomainSection]
    boards: Sequence[ImageGrid]
    audits: Sequence[RenderedFigure]
    spread: HtmlTable | None
    targets: HtmlTable | None
    federation: RenderedFigure | None

    @property
    def choices(self) -> list[Choice]:
        """Those of its own."""
        return [self.classes.arm, self.classes.metric] if self.classes else []


def world(contexts: Sequence[FigureContext], name: str, album: SharedImages, notes: list[str]) -> WorldSection:
    """What is told. contexts: by metric, the headline first. notes: gets what cannot be read."""
    context, summary = contexts[0], contexts[0].summary
    shown, alone = arm_images(context.comparison, name, notes), len(context.comparison.runs) == 1
    found, id = evaluations(context.comparison, name, notes), f"world{context.comparison.worlds.index(name) + 1}"
    return WorldSection(
        id=id,
        name=name,
        final=details.final(context.comparison) if alone else None,
        standings=[_standing(each, name, alone=alone) for each in contexts],
        figures=_drawn(clients(context, name)),
        classes=_classes(context, name, id, found) if found else None,
        domains=_domains(contexts, name),
        boards=list(boards(shown, album)) if shown else [],
        audits=audits(context, name),
        spread=details.clients(summary, name),
        targets=details.targets(summary, name),
        federation=_federation(context, name, notes),
    )


def _drawn(*pictures: RenderedFigure | None) -> list[RenderedFigure]:
    return [picture for picture in pictures if picture is not None]


def _standing(context: FigureContext, world: str, *, alone: bool) -> MetricSection:
    known = any(row.mean is not None for row in context.rows(world))
    table = results.results(context.summary, world) if known and not alone else None
    return MetricSection(
        table=table, figures=_drawn(curves(context, world), cost(context, world), forest(context, world))
    )


def _classes(context: FigureContext, world: str, id: str, found: WorldEvaluations) -> ClassSection:
    metrics = class_metrics(found)
    arms = [
        ArmClassSection(
            matrix=confusion_matrix(found, arm),
            table=class_table(found, metrics, arm),
            figure=dice_by_class(context, world, found, arm),
        )
        for arm in found.arms
    ]
    return ClassSection(
        arm=Choice(id=f"{id}-arm", label="Arm", options=[*found.arms]),
        arms=arms,
        metric=Choice(id=f"{id}-class", label="Metric per class", options=options([*metrics])),
        metrics=[
            class_figure(replace(context, folder=None) if number else context, world, found, *each)
            for number, each in enumerate(metrics.items())
        ],
        figures=[*_drawn(dice_by_image(context, world, found)), *quality(context, world, found)],
    )


def _domains(contexts: Sequence[FigureContext], world: str) -> list[DomainSection]:
    """Those of every metric that some run has by domain; scopes of one metric share theirs."""
    numbers: dict[str, list[int]] = {}
    for number, context in enumerate(contexts):
        numbers.setdefault(base_metric(context.summary), []).append(number)
    told = []
    for metric, shown in numbers.items():
        names, found = sites(contexts[0].comparison, world, metric)
        if found:
            figure = site_figure(contexts[shown[0]], world, names, found)
            told.append(DomainSection(shown=shown, table=site_table(names, found, metric), figure=figure))
    return told


def base_metric(summary: Summary) -> str:
    """The headline without its scope."""
    return summary.headline.rpartition(".")[2]


def _federation(context: FigureContext, world: str, notes: list[str]) -> RenderedFigure | None:
    """Who holds what, in the first run of the world that kept it; what pools all images holds nothing apart."""
    from fedmed.report.figures.federation import federation_figure

    comparison = context.comparison
    for run in (run for arm in comparison.arms for run in series.runs_of(comparison, world, arm)):
        try:
            picture = None if run.config.get("pooled") else load_federation(run.path)
        except UserError as error:
            notes += [str(fault) for fault in error.faults]
            continue
        if picture is not None:
            title = f"Of seed {run.seed}; others divide the same images anew." if len(comparison.seeds) > 1 else ""
            alt = f"Who holds what: {picture.subtitle}."
            return context.write(
                federation_figure(picture), "federation", world, title=title, note="", alt=alt, wide=True
            )
    return None
