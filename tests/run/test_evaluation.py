"""The last word on a run: evaluation.json and intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def evaluation(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    return content["test"]


def test_the_confusion_matrix_gives_the_accuracy_of_the_table(run: Any, tmp_path: Path) -> None:
    final = run("run")
    found = evaluation(tmp_path / "run")
    confusion = np.array(found["confusion"])
    assert confusion.shape == (6, 6)
    assert confusion.sum() == found["examples"] == 40
    assert confusion.trace() / confusion.sum() == pytest.approx(final["test.accuracy"])
    assert {f"test.{name}": value for name, value in found["values"].items()}.items() <= final.items()


def test_means_over_classes_say_how_many_classes_they_rest_on(run: Any, tmp_path: Path) -> None:
    run("run", "rounds=1")
    found = evaluation(tmp_path / "run")
    for metric, defined in found["defined"].items():
        values = [value for value in found[f"{metric}_per_class"] if value is not None]
        assert len(values) == defined
        assert np.mean(values) == pytest.approx(found["values"][metric], rel=1e-6)


def test_the_main_metric_lies_in_its_interval(run: Any, tmp_path: Path) -> None:
    final = run("run")
    assert 0 <= final["test.auc.low"] < final["test.auc"] < final["test.auc.high"] <= 1
    assert "test.accuracy.low" not in final
    accuracy = run("accuracy", "metric=accuracy")
    assert accuracy["test.accuracy.low"] < accuracy["test.accuracy"] < accuracy["test.accuracy.high"]


@pytest.mark.parametrize("overrides", [("metric=loss",), ("metric=own", "metrics=[own.py:own]")])
def test_a_metric_that_no_resample_gives_has_no_interval(run: Any, tmp_path: Path, overrides: tuple[str, ...]) -> None:
    (tmp_path / "own.py").write_text(
        "from fedmed.metrics import higher_is_better\n\n"
        "@higher_is_better\ndef own(probabilities, y, seen):\n    return float(probabilities.max())\n",
        encoding="utf-8",
    )
    final = run("run", "rounds=1", *overrides)
    assert not any(name.endswith((".low", ".high")) for name in final)
    assert final["best.round"] == 1


def write_patients(file: Path, images_each: int) -> None:
    """Forty test images of 40 / images_each patients, and forty training images, each a dark or a light one."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(80 // images_each) % 2, images_each)
    level = (rng.integers(60, 160, 80 // images_each)).repeat(images_each) + 40 * labels
    images = np.clip(level[:, None, None] + rng.normal(0, 5, (80, 8, 8)), 0, 255).astype(np.uint8)
    patients = np.arange(80 // images_each).repeat(images_each)
    np.savez(file, images=images, labels=labels, patients=patients, splits=np.repeat([0, 2], 40))


def test_intervals_are_wider_by_patient_than_by_image(run: Any, tmp_path: Path) -> None:
    """Eight images of a patient are nearly one: five patients tell less than forty."""
    widths = {}
    for name, images_each in {"few": 8, "many": 1}.items():
        write_patients(tmp_path / f"{name}.npz", images_each)
        final = run(
            name, "dataset=npz", f"dataset.path={name}.npz", "partition=iid", "client_test=0", "metric=accuracy"
        )
        widths[name] = final["test.accuracy.high"] - final["test.accuracy.low"]
    assert widths["few"] > 1.3 * widths["many"]


def test_surface_distances_come_with_the_last_evaluation_when_asked(run: Any, tmp_path: Path) -> None:
    segment = ("dataset=synthetic_segmentation", "dataset.images=40", "dataset.test_images=12", "dataset.side=32")
    small = ("model=unet", "model.channels=[4,8]", "rounds=1", "optimizer.name=adam", "optimizer.lr=0.01")
    final = run("run", *segment, *small, "thorough=true")
    assert {"test.dice", "test.iou"} <= final.keys()
    found = evaluation(tmp_path / "run")
    assert {"hd95", "surface_distance"} <= {*found["values"], *found["undefined"]}
    assert found["examples"] == 12


OFF_BY = """
from fedmed.metrics import lower_is_better

def prevalence(p, y, seen):
    return float(y.bool().float().mean())

@lower_is_better
def off_by(p, y, seen):
    return float((1 - p.gather(1, y[:, None])).mean())
"""


def test_a_metric_that_should_fall_ranks_rounds_clients_and_domains_the_right_way_round(
    run: Any, tmp_path: Path, rounds: Any
) -> None:
    (tmp_path / "own.py").write_text(OFF_BY, encoding="utf-8")
    own = ("metrics=[own.py:off_by,own.py:prevalence]", "metric=off_by", "optimizer.lr=0.1", "patience=1", "rounds=9")
    final = run("run", *own, *SITES[:3], "clients=null")
    rows = rounds("run")
    course = [row["val.off_by"] for row in rows]
    assert len(set(course)) > 1
    assert final["best.round"] == 1 + course.index(min(course))
    assert len(rows) in (9, final["best.round"] + 1)
    clients = [json.loads(line) for line in (tmp_path / "run/clients.jsonl").read_text(encoding="utf-8").splitlines()]
    last = {row["client"]: row["client.off_by"] for row in clients if row["round"] == len(rows)}
    assert final["client.worst.off_by"] == max(last.values()) == last[final["client.worst.id"]]
    domains = [value for name, value in final.items() if name.startswith("domain.site") and name.endswith("off_by")]
    assert len(domains) == 3
    assert final["domain.worst.off_by"] == max(domains) > min(domains)
    assert json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["better"] == {"off_by": "lower"}
    assert final["client.mean.prevalence"] > 0
    assert not {"client.worst.prevalence", "domain.worst.prevalence"} & final.keys()  # nobody says which way is worse


SITES = ("dataset.sites=3", "partition=site", "partition.clients_per_site=2", "clients=null", "rounds=1")


def test_sites_are_told_apart_and_count_alike(run: Any, tmp_path: Path) -> None:
    final = run("run", *SITES, "dataset.test_images=41")
    each = [final[f"domain.site {site}.accuracy"] for site in range(3)]
    assert len(set(each)) > 1
    assert final["domain.mean.accuracy"] == pytest.approx(np.mean(each))
    assert final["domain.worst.accuracy"] == min(each)
    assert final["domain.spread.accuracy"] == pytest.approx(max(each) - min(each))
    assert final["domain.worst.loss"] == max(final[f"domain.site {site}.loss"] for site in range(3))


def test_the_domains_make_up_the_test_images(run: Any) -> None:
    """With clients' scanners, 41 test images take turns: 14, 14 and 13."""
    final = run("run", "partition=iid", "shift=scanner", "rounds=1", "dataset.test_images=41")
    each = [final[f"domain.client {client}.accuracy"] for client in range(3)]
    assert np.average(each, weights=[14, 14, 13]) == pytest.approx(final["test.accuracy"])


@pytest.mark.parametrize("overrides", [(), ("shift=scanner", "clients=1")])
def test_one_domain_is_not_told_apart(run: Any, overrides: tuple[str, ...]) -> None:
    final = run("run", "partition=iid", "rounds=1", *overrides)
    assert not [name for name in final if name.startswith("domain.")]


def test_what_curves_are_drawn_from_is_kept_in_little_room(run: Any, tmp_path: Path) -> None:
    final = run("run", "rounds=1", "dataset.test_images=600")
    found = evaluation(tmp_path / "run")["breakdown"]
    assert {len(found[name]) for name in ("decisions", "thresholds", "calibration")} == {6}
    hits = sum(found["top_calibration"]["hits"])
    assert hits / 600 == pytest.approx(final["test.accuracy"])
    assert (tmp_path / "run/evaluation.json").stat().st_size < 6 * 4000
