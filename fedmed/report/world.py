"""What the page says about one world: by every metric that can be chosen, class by class, in images, at clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fedmed.comparison.rows import Summary
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.choices import Choice
from fedmed.report.class_values import class_figure, class_metrics, class_table, options
from fedmed.report.evaluations import WorldEvaluations, world_evaluations
from fedmed.report.figures.audits import audit_figures
from fedmed.report.figures.class_curves import class_curves
from fedmed.report.figures.clients import client_strips
from fedmed.report.figures.coalitions import coalition_figures
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dice import dice_by_class, dice_by_image
from fedmed.report.figures.differences import forest_plot
from fedmed.report.figures.learning_curves import communication_cost, learning_curves
from fedmed.report.figures.pareto_front import front_figures
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.images.collection import ImageGrid, SharedImages, arm_images
from fedmed.report.images.grids import image_grids
from fedmed.report.subgroups import part_figure, part_sections, part_table
from fedmed.report.tables import details, results
from fedmed.report.tables.cells import HtmlTable
from fedmed.report.tables.confusion_matrix import ConfusionMatrix, confusion_matrix
from fedmed.rundir.federation import load_federation


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSection:
    """The results of one metric: a table of arms, and its figures."""

    table: HtmlTable | None
    figures: Sequence[RenderedFigure]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSection:
    """Values of one metric by part of the test images. shown: numbers of the metrics with which they are."""

    shown: Sequence[int]
    table: HtmlTable
    figure: RenderedFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmClassSection:
    """The predictions of one arm, class by class."""

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
    """Everything. metric_sections: by metric, the headline first. parts: by their kind (`domain`, `group.sex`)."""

    id: str
    name: str
    final: HtmlTable | None
    metric_sections: Sequence[MetricSection]
    figures: Sequence[RenderedFigure]
    classes: ClassSection | None
    parts: Mapping[str, Sequence[PartSection]]
    image_grids: Sequence[ImageGrid]
    audits: Sequence[RenderedFigure]
    spread: HtmlTable | None
    targets: HtmlTable | None
    federation: RenderedFigure | None

    @property
    def choices(self) -> list[Choice]:
        """The lists in this section from which a reader chooses."""
        return [self.classes.arm, self.classes.metric] if self.classes else []


def world_section(
    contexts: Sequence[FigureContext], name: str, shared_images: SharedImages, notes: list[str]
) -> WorldSection:
    """The section of one world. contexts: by metric, the headline first. notes: gets what cannot be read."""
    context, summary = contexts[0], contexts[0].summary
    shown, alone = arm_images(context.comparison, name, notes), len(context.comparison.runs) == 1
    found, id = world_evaluations(context.comparison, name, notes), f"world{context.comparison.worlds.index(name) + 1}"
    return WorldSection(
        id=id,
        name=name,
        final=details.final_metrics_table(context.comparison) if alone else None,
        metric_sections=[_metric_section(each, name, alone=alone) for each in contexts],
        figures=_drawn(client_strips(context, name)),
        classes=_classes(context, name, id, found) if found else None,
        parts=_parts(contexts, name),
        image_grids=list(image_grids(shown, shared_images)) if shown else [],
        audits=[
            *front_figures(context, name, notes),
            *coalition_figures(context, name, notes),
            *audit_figures(context, name),
        ],
        spread=details.fairness_table(summary, name),
        targets=details.cost_table(summary, name),
        federation=_federation(context, name, notes),
    )


def _drawn(*pictures: RenderedFigure | None) -> list[RenderedFigure]:
    return [picture for picture in pictures if picture is not None]


def _metric_section(context: FigureContext, world: str, *, alone: bool) -> MetricSection:
    known = any(row.mean is not None for row in context.rows(world))
    table = results.results_table(context.summary, world) if known and not alone else None
    return MetricSection(
        table=table,
        figures=_drawn(
            learning_curves(context, world), communication_cost(context, world), forest_plot(context, world)
        ),
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
        figures=[*_drawn(dice_by_image(context, world, found)), *class_curves(context, world, found)],
    )


def _parts(contexts: Sequence[FigureContext], world: str) -> dict[str, list[PartSection]]:
    """Those of every metric that some run has by domain or group; scopes of one metric share theirs."""
    numbers: dict[str, list[int]] = {}
    for number, context in enumerate(contexts):
        numbers.setdefault(base_metric(context.summary), []).append(number)
    sections: dict[str, list[PartSection]] = {}
    for metric, shown in numbers.items():
        for found in part_sections(contexts[0].comparison, world, metric):
            section = PartSection(
                shown=shown, table=part_table(found), figure=part_figure(contexts[shown[0]], world, found)
            )
            sections.setdefault(found.kind, []).append(section)
    return sections


def base_metric(summary: Summary) -> str:
    """`auc` of a headline metric `test.auc`."""
    return summary.headline.rpartition(".")[2]


def _federation(context: FigureContext, world: str, notes: list[str]) -> RenderedFigure | None:
    """Who holds what, in the first run of the world that kept it; what pools all images holds nothing apart."""
    from fedmed.report.figures.federation import federation_figure

    comparison = context.comparison
    for run in (run for arm in comparison.arms for run in series.arm_runs(comparison, world, arm)):
        try:
            federation = None if run.config.get("pooled") else load_federation(run.path)
        except UserError as error:
            notes += [str(fault) for fault in error.faults]
            continue
        if federation is not None:
            title = f"Of seed {run.seed}; others divide the same images anew." if len(comparison.seeds) > 1 else ""
            alt = f"Who holds what: {federation.subtitle}."
            return context.write(
                federation_figure(federation), "federation", world, title=title, note="", alt=alt, wide=True
            )
    return None
