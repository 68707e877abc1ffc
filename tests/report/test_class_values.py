"""Values per class: the table says what the evaluations say, and so does the matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.comparison.read import read
from fedmed.comparison.runs import Comparison
from fedmed.comparison.summary import summarise
from fedmed.report.class_values import class_figure, class_metrics, class_table
from fedmed.report.evaluations import WorldEvaluations, parsed, world_evaluations
from fedmed.report.figures import style
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.dice import dice_by_class, dice_by_image
from fedmed.report.tables.confusion_matrix import MOST, confusion_matrix, short_count
from fedmed.rundir.evaluation import read_evaluation
from tests import fabricated
from tests.fabricated import strategy
from tests.report.evaluated import evaluate


def compared(folder: Path, kind: str, *, classes: int = 3, seeds: int = 2) -> tuple[Comparison, WorldEvaluations]:
    for number, name in enumerate(("fedavg", "moon")):
        for seed in range(seeds):
            place = fabricated.run(folder / f"{name}{seed}", seed=seed, config={"strategy": strategy(name)})
            evaluate(place, kind, classes=classes, strength=1 + number, seed=seed)
    comparison = read([folder])
    found = world_evaluations(comparison, comparison.worlds[0], [])
    assert found is not None
    return comparison, found


def columns(found: WorldEvaluations, arm: str) -> dict[str, list[float]]:
    table = class_table(found, class_metrics(found), arm)
    return {name: [row[at].sort for row in table.rows] for at, (name, _) in enumerate(table.header)}  # type: ignore[misc]


def test_the_table_of_classes_is_the_mean_over_seeds(tmp_path: Path) -> None:
    _, found = compared(tmp_path, "multiclass")
    rows = columns(found, "moon")
    assert list(rows) == [
        "class", "support", "AUC", "AP", "sensitivity", "specificity", "precision", "F1",
        "sensitivity at specificity 95",
    ]  # fmt: skip
    tests = [read_evaluation(tmp_path / f"moon{seed}") for seed in range(2)]
    assert rows["AUC"] == pytest.approx(np.mean([t["auc_per_class"] for t in tests], 0))
    assert rows["F1"] == pytest.approx(np.mean([t["f1_per_class"] for t in tests], 0))
    matrices = np.array([t["confusion"] for t in tests])
    assert rows["support"] == pytest.approx(matrices.sum(2).mean(0))
    right, total = matrices.diagonal(axis1=1, axis2=2), matrices.sum((1, 2))[:, None]
    absent = total - matrices.sum(2)
    assert rows["specificity"] == pytest.approx(((absent - matrices.sum(1) + right) / absent).mean(0))
    assert rows["sensitivity"] == pytest.approx((right / matrices.sum(2)).mean(0))


def test_findings_have_counts_in_place_of_a_matrix(tmp_path: Path) -> None:
    _, found = compared(tmp_path, "multilabel", seeds=1)
    rows = columns(found, "fedavg")
    assert [name for name in rows if name.isupper()] == ["AUC", "AP", "F1", "TP", "FP", "FN", "TN"]
    sums = np.sum([rows[name] for name in ("TP", "FP", "FN", "TN")], 0)
    assert sums.tolist() == [90, 90, 90]
    assert np.add(rows["TP"], rows["FN"]).tolist() == rows["support"]
    assert confusion_matrix(found, "fedavg") is None


def test_segmentation_tells_of_the_foreground(tmp_path: Path) -> None:
    comparison, found = compared(tmp_path, "segmentation")
    rows = columns(found, "fedavg")
    assert list(rows)[:4] == ["class", "images", "Dice", "IoU"]
    assert rows["class"] == [1, 2]
    with style.figure_style():
        context = FigureContext(summary=summarise(comparison))
        every = dice_by_image(context, comparison.worlds[0], found)
        one = dice_by_class(context, comparison.worlds[0], found, "moon")
    assert every is not None
    assert one is not None
    assert "fedavg median" in every.alt
    assert "class 2 median" in one.alt


def test_what_a_value_rests_on_stands_beside_it() -> None:
    nan = float("nan")
    one = parsed({"dice_per_class": [nan, 0.5, 0.0], "dice_images_per_class": [0, 9, 8],
                  "hd95_per_class": [nan, 2.0, nan], "hd95_images_per_class": [0, 7, 0]})  # fmt: skip
    two = parsed({"dice_per_class": [nan, 0.5, nan], "dice_images_per_class": [0, 9, 0],
                  "hd95_per_class": [nan, 4.0, nan], "hd95_images_per_class": [0, 9, 0]})  # fmt: skip
    found = WorldEvaluations({"fedavg": [one, two]}, ["background", "liver", "tumour"])
    table = class_table(found, class_metrics(found), "fedavg")
    message = {
        name: [f"{row[at].text} {row[at].faint}".strip() for row in table.rows]
        for at, (name, _) in enumerate(table.header)
    }
    assert message["Dice"] == ["0.500 ± 0.000", "0.000 (1 of 2)"], "seeds"
    assert message["HD95"] == ["3.000 ± 1.414 (16 of 18)", "-"], "images of all seeds: misses leave it"


def test_what_never_happened_is_no_number_and_what_hardly_did_is_no_nought() -> None:
    found = WorldEvaluations({"fedavg": [parsed({"confusion": [[999, 1, 0], [0, 3, 1], [0, 0, 0]]})]}, ["a", "b", "c"])
    shown = confusion_matrix(found, "fedavg")
    assert shown is not None
    assert [[box.percent for box in row] for row in shown.rows] == [["100", "<1", "·"], ["·", "75", "25"], ["·"] * 3]
    assert [[box.often for box in row] for row in shown.rows] == [["999", "1", "·"], ["·", "3", "1"], ["·"] * 3]


def test_a_figure_tells_every_class_and_arm(tmp_path: Path) -> None:
    comparison, found = compared(tmp_path, "multiclass")
    metrics = class_metrics(found)
    with style.figure_style():
        context = FigureContext(summary=summarise(comparison))
        picture = class_figure(context, comparison.worlds[0], found, "auc", metrics["auc"])
    assert picture.title == "AUC by class"
    assert picture.markup.count("<rect") >= 3
    values = metrics["auc"]["moon"][:, 1]
    message = f"class 1, fedavg {metrics['auc']['fedavg'][:, 1].mean():.3f}"
    assert message in picture.alt
    assert f"moon {values.mean():.3f} [{values.min():.3f}, {values.max():.3f}]" in picture.alt


def test_the_matrix_adds_up_seeds_and_normalises_rows(tmp_path: Path) -> None:
    _, found = compared(tmp_path, "multiclass")
    shown = confusion_matrix(found, "moon")
    assert shown is not None
    counts = sum(np.array(read_evaluation(tmp_path / f"moon{seed}")["confusion"]) for seed in range(2))
    assert [[int(box.often.replace("·", "0")) for box in row] for row in shown.rows] == counts.tolist()
    shares = counts / counts.sum(1, keepdims=True)
    assert np.array([[box.share for box in row] for row in shown.rows]) == pytest.approx(shares)
    assert all(abs(sum(int(box.percent.replace("·", "0")) for box in row) - 100) <= 2 for row in shown.rows)
    assert [[box.right for box in row] for row in shown.rows] == np.eye(3, dtype=bool).tolist()
    wrong = np.where(np.eye(3, dtype=bool), 0, shares)
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    assert shown.confused[0].startswith(f"class {i} taken for class {j}")


@pytest.mark.parametrize("classes", [2, 20, MOST + 1])
def test_too_many_classes_are_told_in_words_only(tmp_path: Path, classes: int) -> None:
    _, found = compared(tmp_path, "multiclass", classes=classes, seeds=1)
    shown = confusion_matrix(found, "fedavg")
    assert shown is not None
    assert len(shown.rows) == (classes if classes <= MOST else 0)
    assert shown.confused
    assert ("too many" in shown.note) == (classes > MOST)


@pytest.mark.parametrize(
    ("number", "message"), [(0, "0"), (9999, "9999"), (12_345, "12k"), (1_234_567, "1.2M"), (98_765_432, "99M")]
)
def test_counts_of_pixels_fit_a_cell(number: int, message: str) -> None:
    assert short_count(number) == message
