"""ROC, precision-recall and calibration curves against what they are by hand, and what figures of them tell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.evaluations import CalibrationBins, Evaluation, ThresholdCounts, WorldEvaluations, world_evaluations
from fedmed.report.figures import style
from fedmed.report.figures.class_curves import GRID, calibration_error, class_curves, precision_recall, reliability, roc
from fedmed.report.figures.context import FigureContext
from tests import fabricated
from tests.fabricated import strategy
from tests.report.evaluated import evaluate

PERFECT = ThresholdCounts(np.array([0.0, 4, 4]), np.array([0.0, 0, 6]))
CHANCE = ThresholdCounts(np.array([0.0, 4]), np.array([0.0, 6]))
STEPS = ThresholdCounts(np.array([0.0, 1, 1, 2, 2]), np.array([0.0, 0, 1, 1, 2]))


def test_the_roc_curve_starts_at_nothing_and_passes_through_its_corners() -> None:
    assert roc(PERFECT).tolist() == [0.0, *([1.0] * len(GRID))]
    assert roc(CHANCE)[1:] == pytest.approx(GRID)
    found = roc(STEPS)[1:]
    assert found[GRID < 0.5] == pytest.approx(0.5)
    assert found[GRID > 0.5] == pytest.approx(1.0)


def test_precision_is_interpolated_in_roc_space() -> None:
    assert precision_recall(PERFECT) == pytest.approx(1)
    assert precision_recall(CHANCE) == pytest.approx(0.4)
    # between (tp 1, fp 1) and (2, 1): at recall r, tp is 2r and fp 1
    found, late = precision_recall(STEPS), GRID > 0.5
    assert found[~late] == pytest.approx(1)
    assert found[late] == pytest.approx(2 * GRID[late] / (2 * GRID[late] + 1))


def test_calibration_pools_seeds_and_spreads_over_them() -> None:
    seeds = [
        CalibrationBins(np.array([10.0, 0, 2]), np.array([5.0, 0, 2]), np.array([0.4, np.nan, 0.9])),
        CalibrationBins(np.array([30.0, 0, 2]), np.array([3.0, 0, 0]), np.array([0.2, np.nan, 0.8])),
    ]
    band = reliability(seeds)
    assert band.x == pytest.approx([0.25]), "bins of fewer than five are left out"
    assert band.mean == pytest.approx([8 / 40])
    assert (band.low, band.high) == (pytest.approx([0.1]), pytest.approx([0.5]))
    assert calibration_error(seeds[0]) == pytest.approx((abs(5 - 4) + abs(2 - 1.8)) / 12)


@pytest.mark.parametrize(("kind", "top"), [("multiclass", 1), ("multilabel", 0)])
def test_every_class_has_a_plot_with_all_arms(tmp_path: Path, kind: str, top: int) -> None:
    for name, strength in (("fedavg", 1.0), ("moon", 2.0)):
        for seed in range(2):
            place = fabricated.run(tmp_path / f"{name}{seed}", seed=seed, config={"strategy": strategy(name)})
            evaluate(place, kind, strength=strength, seed=seed, images=200)
    comparison = read([tmp_path])
    found = world_evaluations(comparison, comparison.worlds[0], [])
    assert found is not None
    with style.figure_style():
        pictures = {
            p.name: p for p in class_curves(FigureContext(summary=summarise(comparison)), comparison.worlds[0], found)
        }
    assert [*pictures] == ["roc", "pr", "calibration"]
    auc = np.mean([each.per_class["auc"][2] for each in found.arms["moon"]])
    assert f"moon AUC {auc:.3f}" in pictures["roc"].markup
    assert "class 1" in pictures["pr"].markup
    tips = [picture.markup.count("<title>") for picture in pictures.values()]
    assert tips == [30, 30, 30 + 10 * top]
    curves = [roc(each.thresholds[2])[1:] for each in found.arms["moon"] if each.thresholds[2]]
    message = re.findall(
        r"class 2, false positive rate 0.25\nSensitivity\nfedavg [^<]*\nmoon ([\d.]+)", pictures["roc"].markup
    )
    assert [float(each) for each in message] == [
        pytest.approx(np.mean([np.interp(0.25, GRID, c) for c in curves]), abs=0.006)
    ]


def test_points_that_make_no_line_are_seen_even_where_they_coincide(tmp_path: Path) -> None:
    """A net that says about the same of all images fills one bin."""
    bins = [CalibrationBins(np.array([90.0]), np.array([81.0]), np.array([0.05]))]
    names = ["fedavg", "moon", "scaffold"]
    for name in names:
        fabricated.run(tmp_path / name, config={"strategy": strategy(name)})
    comparison = read([tmp_path])
    found = WorldEvaluations({name: [Evaluation(calibration=bins)] for name in names}, ["one class"])
    with style.figure_style():
        context = FigureContext(summary=summarise(comparison), folder=tmp_path)
        assert [each.name for each in class_curves(context, comparison.worlds[0], found)] == ["calibration"]
    image = imread(next(tmp_path.rglob("calibration*.png")))[..., :3]
    head = image[: int(0.6 * len(image))]  # the keys below have the same colours
    for name in names:
        assert (np.abs(head - to_rgb(context.arm_styles[name].color)).max(-1) < 0.02).any(), name


def test_runs_without_curves_have_none(tmp_path: Path) -> None:
    evaluate(fabricated.run(tmp_path / "old"), without=["breakdown"])
    comparison = read([tmp_path])
    found = world_evaluations(comparison, comparison.worlds[0], [])
    assert found is not None
    with style.figure_style():
        assert list(class_curves(FigureContext(summary=summarise(comparison)), comparison.worlds[0], found)) == []
