"""Figures of many arms with long names: no text of a figure lies on another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.figures import style, svg
from fedmed.report.figures.clients import client_strips
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.differences import forest_plot, rank_diagram
from fedmed.report.figures.labels import shorten, spread_apart, truncate
from fedmed.report.figures.learning_curves import communication_cost, learning_curves
from tests.fabricated import CONFIG, run, strategy

WORDS = "a_method_with_a_long_name+another_one"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> FigureContext:
    """Eighteen arms in five worlds, all about equally good."""
    folder = tmp_path_factory.mktemp("runs")
    names = ["fedavg", *(f"{WORDS}_{number}" for number in range(17))]
    for world in range(5):
        for number, name in enumerate(names):
            for seed in range(2):
                value = 0.7 + 2e-5 * number + 1e-5 * seed
                config = {"strategy": strategy(name), "partition": {**CONFIG["partition"], "alpha": world + 1.0}}
                place = folder / f"{number}_{seed}_{world}"
                run(place, seed=seed, auc=value, config=config, curve=[0.5, 0.7, value], clients=[0.4, 0.6])
    return FigureContext(summary=summarise(read([folder])))


def texts(figure: Figure) -> Iterator[Text]:
    """What is drawn: ticks beyond the limits are not."""
    for ax in figure.axes:
        (left, right), (low, high) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
        ticks = [t for t in ax.get_xticklabels() if left <= t.get_position()[0] <= right]
        ticks += [t for t in ax.get_yticklabels() if low <= t.get_position()[1] <= high]
        yield from (text for text in [*ax.texts, *ticks, ax.xaxis.label] if text.get_text().strip())


@pytest.mark.parametrize("draw", [forest_plot, learning_curves, communication_cost, client_strips, "ranks"])
def test_no_text_lies_on_another(context: FigureContext, draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(svg, "render_figure", lambda figure, *_, **__: drawn.append(figure))
    with style.figure_style():
        if draw == "ranks":
            assert context.summary.ranking
            rank_diagram(context, context.summary.ranking)
        else:
            draw(context, context.comparison.worlds[0])
        (figure,) = drawn
        figure.draw_without_rendering()
        boxes = {text.get_text(): text.get_window_extent().padded(-1) for text in texts(figure)}
        whole = figure.bbox
    touching = [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    assert touching == []
    assert len([name for name in boxes if "name" in name or "…" in name]) >= 17, "every arm is named"
    assert [name for name, box in boxes.items() if box.x0 < 0 or box.x1 > whole.x1 + 1 or box.y0 < 0] == []


def test_names_that_are_cut_stay_apart() -> None:
    names = ["short", "a" * 30, f"{WORDS}_1", f"{WORDS}_2", f"x{WORDS}{'y' * 30}", f"z{WORDS}{'y' * 30}"]
    found = shorten(names)
    assert len({*found}) == len(names)
    assert max(map(len, found)) <= 22
    assert found[0] == "short"
    assert len({*shorten([f"{'a' * 40}{n}{'b' * 40}" for n in range(12)])}) == 12


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([0, 50, 100], [0, 50, 100]),
        ([10, 11, 50], [10, 20, 50]),
        ([95, 99, 100], [80, 90, 100]),
        ([], []),
    ],
)
def test_names_keep_apart_and_inside(wanted: list[float], placed: list[float]) -> None:
    assert spread_apart(wanted, 10, 100) == placed


def test_a_long_name_is_cut() -> None:
    assert truncate("a" * 30, 10) == "a" * 9 + "…"
    assert truncate("short", 10) == "short"
