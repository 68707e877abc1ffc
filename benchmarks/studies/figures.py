"""The studies' pictures: differences with their intervals, and learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.studies.record import Record, against
from benchmarks.studies.study import Study
from fedmed.comparison.estimates import Estimate

BETTER, WORSE, UNSURE = "tab:green", "tab:red", "0.45"
MARKS = ("o", "s", "D", "^")


class Line(NamedTuple):
    """One difference of the overview: what it is called, the circumstance, and its estimate."""

    label: str
    circumstance: str
    estimate: Estimate


def differences(study: Study, record: Record, path: Path) -> None:
    """A dot and a bar per arm and world: the paired difference to the reference in the headline metric."""
    name, arms = study.metrics[0], [arm for arm in study.arms if arm != study.reference]
    figure, axes = _row(len(study.worlds), 3.4 * len(study.worlds) + 1.6, 0.28 * len(arms) + 1.1)
    for each, world in zip(axes, study.worlds, strict=True):
        each.axvline(0, color="0.6", linewidth=0.8)
        for place, arm in enumerate(reversed(arms)):
            if given := against(study, record, world, arm, study.reference, name):
                _bar(each, place, given)
        each.set_yticks(range(len(arms)), list(reversed(arms)))
        each.set_ylim(-0.6, len(arms) - 0.4)
        each.set_title(world, fontsize="medium")
    figure.supxlabel(f"{name}: difference to {study.reference}", fontsize="small")
    _save(figure, path)


def curves(study: Study, record: Record, path: Path) -> None:
    """The headline metric over rounds, the mean of the seeds within their range, for the arms that the study names."""
    figure, axes = _row(len(study.worlds), 3.4 * len(study.worlds) + 0.6, 3.0, sharey=False)
    for each, world in zip(axes, study.worlds, strict=True):
        for number, arm in enumerate(study.curves):
            found = record.curve(world, arm)
            rounds = sorted(found)
            means = [fmean(found[r].values()) for r in rounds]
            each.plot(rounds, means, label=arm, linewidth=1.6, color=f"C{number}")
            low, high = ([end(found[r].values()) for r in rounds] for end in (min, max))
            each.fill_between(rounds, low, high, alpha=0.12, linewidth=0, color=f"C{number}")
        each.set_title(world, fontsize="medium")
        each.set_xlabel("round", fontsize="small")
    axes[0].set_ylabel(study.metrics[0], fontsize="small")
    axes[0].legend(frameon=False, fontsize="x-small")
    _save(figure, path)


def lines(study: Study, record: Record) -> Iterator[Line]:
    """The differences that say it all, for the overview."""
    for ours, other in study.glance:
        for world in study.worlds:
            for circumstance, metric in study.headline.items():
                if given := against(study, record, world, ours, other, metric):
                    yield Line(f"{ours} - {other}\n{world}", circumstance, given)


def overview(panels: Sequence[tuple[str, Sequence[Line]]], path: Path) -> None:
    """A panel per method, of differences with their intervals; marks tell the circumstances apart."""
    rows = max(len({line.label for line in lines}) for _, lines in panels)
    figure, axes = _row(len(panels), 3.1 * len(panels), 0.5 * rows + 1.2, sharey=False)
    for each, (title, lines) in zip(axes, panels, strict=True):
        _panel(each, lines)
        each.set_title(title, fontsize="small")
    _save(figure, path)


def _panel(axes: Any, lines: Sequence[Line]) -> None:
    labels = list(dict.fromkeys(line.label for line in lines))
    circumstances = list(dict.fromkeys(line.circumstance for line in lines))
    axes.axvline(0, color="0.6", linewidth=0.8)
    for line in lines:
        at = circumstances.index(line.circumstance)
        place = len(labels) - 1 - labels.index(line.label) - (at - (len(circumstances) - 1) / 2) * 0.22
        _bar(axes, place, line.estimate, MARKS[at % len(MARKS)])
    for at, circumstance in enumerate(circumstances):
        axes.plot([], [], MARKS[at % len(MARKS)], color="0.3", markersize=4, label=circumstance)
    axes.set_yticks(range(len(labels)), list(reversed(labels)), fontsize="small")
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.legend(frameon=False, fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.12))


def _bar(axes: Any, place: float, given: Estimate, mark: str = "o") -> None:
    colour = BETTER if given.low > 0 else WORSE if given.high < 0 else UNSURE
    if given.number > 1:
        axes.plot([given.low, given.high], [place, place], color=colour, linewidth=2)
    axes.plot(given.mean, place, mark, color=colour, markersize=4)


def _row(number: int, width: float, height: float, *, sharey: bool = True) -> tuple[Any, list[Any]]:
    """A figure with so many plots side by side (inches)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "fedmed"
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(1, number, sharey=sharey, squeeze=False)[0])
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
