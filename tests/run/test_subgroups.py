"""The last evaluation in parts: by domain, and by group of an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.data.attributes import Attribute
from fedmed.run.subgroups import SMALL, groups_of

OWN = ("dataset=npz", "dataset.path=own.npz", "partition=iid", "client_test=0", "model.width=4")
RNG = np.random.default_rng(0)
LABELS = np.tile([0, 1], 60)


def write(file: Path, **attributes: Any) -> None:
    """Sixty training images and sixty test images, in turn dark and light. attributes: of the test images."""
    level = 100 + 30 * LABELS
    images = np.clip(level[:, None, None] + RNG.normal(0, 40, (120, 8, 8)), 0, 255).astype(np.uint8)
    halves = {"train": slice(None, 60), "test": slice(60, None)}
    arrays = {f"{split}_images": images[rows] for split, rows in halves.items()}
    arrays |= {f"{split}_labels": LABELS[rows] for split, rows in halves.items()}
    arrays |= {f"test_attribute_{name}": np.asarray(values) for name, values in attributes.items()}
    arrays |= {f"train_attribute_{name}": np.asarray(values) for name, values in attributes.items()}
    np.savez(file, **arrays)


def of(final: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name.removeprefix(start): value for name, value in final.items() if name.startswith(start)}


def test_every_metric_is_told_by_group_with_its_interval_the_worst_and_the_gap(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "own.npz", sex=["F"] * 20 + ["M"] * 30 + [""] * 10)
    final = run("run", *OWN)
    found = of(final, "group.sex.")
    assert (found["F.images"], found["M.images"], found["unknown.images"]) == (20, 30, 10)
    metrics = {name.removeprefix("test.") for name in of(final, "") if name.startswith("test.")}
    assert {f"{group}.{metric}" for group in "FM" for metric in metrics} <= found.keys()
    for metric in ("auc", "accuracy", "ece", "loss"):
        values = [found[f"{group}.{metric}"] for group in "FM"]
        assert found[f"gap.{metric}"] == pytest.approx(max(values) - min(values))
        assert found[f"worst.{metric}"] == (min(values) if metric in ("auc", "accuracy") else max(values))
        assert found[f"mean.{metric}"] == pytest.approx(np.mean(values))
    for group in "FM":
        assert found[f"{group}.auc.low"] <= found[f"{group}.auc"] <= found[f"{group}.auc.high"]
    assert "F.accuracy.low" not in found
    assert not any(name.endswith((".defined", ".of")) for name in found)


def test_a_group_of_few_images_is_named_and_one_without_a_class_is_no_zero(run: Any, tmp_path: Path) -> None:
    only = np.where(LABELS[60:] == 0, "light", "either")  # every image of it has class 0
    device = np.where(np.arange(60) < 30, "either", only)
    device[:1] = "rare"
    write(tmp_path / "own.npz", device=device, age=np.where(np.arange(60) < 30, 35, 62))
    final = run("run", "dataset.groups=[age:40:60:80]", *OWN)
    found = of(final, "group.device.")
    assert found["rare.images"] == 1 < SMALL
    assert not any(name.startswith("rare.") and name != "rare.images" for name in found)
    assert "light.auc" not in found
    assert 0 <= found["light.accuracy"] <= 1
    assert found["worst.auc"] == found["mean.auc"] == found["either.auc"]
    assert "gap.auc" not in found, "one value has no gap"
    assert (found["worst.auc.defined"], found["worst.auc.of"]) == (1, 3)
    assert (found["gap.accuracy.defined"], found["gap.accuracy.of"]) == (2, 3)
    ages = of(final, "group.age.")
    assert {name for name in ages if name.endswith(".images")} == {"<40.images", "60-79.images"}


def test_an_attribute_of_one_group_and_images_without_attributes_are_told_of_nowhere(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "own.npz", scanner=["A"] * 60)
    assert not of(run("one", "rounds=1", *OWN), "group.")
    write(tmp_path / "own.npz")
    assert not of(run("none", "rounds=1", *OWN), "group.")


def test_domains_whose_sites_do_not_begin_at_0_are_told_by_their_numbers(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "own.npz")
    arrays = dict(np.load(tmp_path / "own.npz"))
    arrays = {name.removeprefix("train_"): values for name, values in arrays.items() if name.startswith("train")}
    np.savez(tmp_path / "own.npz", **arrays, sites=np.repeat([7, 9, 12], 20), attribute_sex=["F", "M"] * 30)
    final = run("run", "rounds=1", "dataset.held_out_site=[9,12]", *OWN)
    found = of(final, "domain.")
    assert (found["9.images"], found["12.images"]) == (20, 20)
    assert found["spread.accuracy"] == pytest.approx(abs(found["9.accuracy"] - found["12.accuracy"]))
    assert final["group.sex.F.images"] == 20


def test_rows_are_grouped_by_value_and_those_not_known_are_in_no_group() -> None:
    rows = groups_of(Attribute(np.array([2, -1, 0, 2]), ("a", "b", "c")))
    assert {name: found.tolist() for name, found in rows.items()} == {"a": [2], "c": [0, 3]}
