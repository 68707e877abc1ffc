"""Evaluations as figures take them: of this version, of older ones, damaged, foreign."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fedmed.comparison.read import read
from fedmed.report.evaluations import class_names, parsed, world_evaluations
from tests import fabricated
from tests.report.evaluated import evaluate


def found(folder: Path, notes: list[str] | None = None):  # type: ignore[no-untyped-def]
    comparison = read([folder])
    return world_evaluations(comparison, comparison.worlds[0], [] if notes is None else notes)


@pytest.mark.parametrize(
    ("kind", "shown"), [("multiclass", [0, 1, 2]), ("multilabel", [0, 1, 2]), ("segmentation", [1, 2])]
)
def test_every_kind_of_task_is_read(tmp_path: Path, kind: str, shown: list[int]) -> None:
    evaluate(fabricated.run(tmp_path / "run"), kind, names=["a", "b", "c"])
    evaluations = found(tmp_path)
    assert evaluations.names == ["a", "b", "c"]
    assert evaluations.shown == shown
    (each,) = evaluations.arms["fedavg"]
    assert each.classes == 3
    if kind != "segmentation":
        assert [t.tp[0] for t in each.thresholds] == [0, 0, 0]
        assert each.counts.sum(1).tolist() == [90, 90, 90]


def test_balanced_accuracy_of_a_class_is_its_sensitivity_where_images_have_one_class_only() -> None:
    values = {"balanced_accuracy_per_class": [0.5, 0.75], "f1_per_class": [0.4, 0.6]}
    single = parsed({**values, "confusion": [[1, 1], [1, 3]]})
    several = parsed({**values, "recall_per_class": [0.25, 1.0]})
    assert {*single.per_class} == {"sensitivity", "f1"}
    assert single.per_class["sensitivity"].tolist() == [0.5, 0.75]
    assert several.per_class["sensitivity"].tolist() == [0.25, 1.0]
    assert several.per_class["balanced_accuracy"].tolist() == [0.5, 0.75]


def test_an_older_run_tells_what_it_kept(tmp_path: Path) -> None:
    evaluate(fabricated.run(tmp_path / "old"), without=["breakdown", "of"])
    (each,) = found(tmp_path).arms["fedavg"]
    assert each.thresholds == []
    assert np.array_equal(each.counts.sum(1), [90, 90, 90]), "decisions come from the confusion matrix"
    assert {"auc", "auprc", "f1", "sensitivity"} <= {*each.per_class}


def test_a_run_that_kept_nothing_is_left_out_without_a_word(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "none")
    notes: list[str] = []
    assert found(tmp_path, notes) is None
    assert notes == []


SILENT = ['{"test": {}}']
"""What says nothing of classes, which is no damage."""


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"test": []}',
        '{"test": {}}',
        '{"test": 3}',
        '{"test": {"confusion": [[1, 2]]}}',
        '{"test": {"confusion": [["a", "b"], [1, 2]]}}',
        '{"test": {"auc_per_class": 3}}',
        '{"test": {"auc_per_class": [[1], [2, 3]]}}',
        '{"test": {"auc_per_class": [1], "breakdown": {"thresholds": [{"tp": [1], "fp": []}]}}}',
        '{"test": {"auc_per_class": [1], "breakdown": {"thresholds": [{"tp": [0], "fp": [0]}]}}}',
        '{"test": {"auc_per_class": [1], "breakdown": {"decisions": [{"tp": 1}]}}}',
        '{"test": {"auc_per_class": [1], "breakdown": {"calibration": [{"n": [1, 2], "hits": [1], "p": [1]}]}}}',
        '{"test": {"auc_per_class": [1], "breakdown": []}}',
        '{"test": {"auc_per_class": [1], "breakdown": "x"}}',
    ],
)
def test_what_is_not_as_it_should_be_is_noted_and_left_out(tmp_path: Path, content: str) -> None:
    place = fabricated.run(tmp_path / "bad")
    (place / "evaluation.json").write_text(content, encoding="utf-8")
    for seed in (1, 2):
        evaluate(fabricated.run(tmp_path / f"good{seed}", seed=seed))
    notes: list[str] = []
    evaluations = found(tmp_path, notes)
    assert len(evaluations.arms["fedavg"]) == 2
    assert ["bad" in note for note in notes] == ([True] if content not in SILENT else [])


def test_runs_with_other_classes_than_most_are_left_out_and_noted(tmp_path: Path) -> None:
    for seed, classes in enumerate((2, 3, 3)):
        evaluate(fabricated.run(tmp_path / str(seed), seed=seed), classes=classes)
    notes: list[str] = []
    assert [each.classes for each in found(tmp_path, notes).arms["fedavg"]] == [3, 3]
    assert "0/evaluation.json is of 2 classes and not of 3" in notes[0]


def test_names_come_from_the_model_else_from_the_federation_else_they_are_numbers(tmp_path: Path) -> None:
    place = evaluate(fabricated.run(tmp_path / "run"))
    assert found(tmp_path).names == ["0", "1", "2"]
    (place / "federation.json").write_text(json.dumps({"class_names": ["x", "y", "z"]}), encoding="utf-8")
    assert class_names(place) == ["x", "y", "z"]
    (place / "model.json").write_text(json.dumps({"names": ["a", "b"]}), encoding="utf-8")
    assert class_names(place) == ["a", "b"]
    assert found(tmp_path).names == ["0", "1", "2"], "names of other classes are not used"
