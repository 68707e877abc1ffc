"""What is checked before anything trains, and what makes a run the run that it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.config.build import experiment_from
from fedmed.errors import UserError
from fedmed.run.parts import Parts, build_parts

FEW = ("dataset.images=160", "dataset.test_images=40", "clients=3")


def parts(*overrides: str) -> Parts:
    return build_parts(experiment_from([*FEW, *overrides]))


def words(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        parts(*overrides)
    return str(caught.value)


def test_what_cannot_change_a_result_does_not_change_the_identity() -> None:
    before = parts().identity
    assert parts().identity == before
    assert parts("checkpoint_every=5", "engine=inprocess", "device=auto").identity == before


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "strategy=fedprox",
        "optimizer.lr=0.04",
        "partition.alpha=0.6",
        "dataset.noise=0.06",
        "model.width=8",
        "model.channels_last=false",
        "torch_threads=2",
        "precision=bf16",
        "clients_per_round=2",
        "augment=standard",
        "annotation=label_noise",
        "shift=scanner",
        "batch_size=16",
    ],
)
def test_what_can_change_a_result_changes_the_identity(override: str) -> None:
    assert parts(override).identity != parts().identity


def test_the_folder_of_the_images_is_no_part_of_the_identity(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"images": rng.integers(0, 256, (60, 12, 12), dtype=np.uint8), "labels": np.arange(60) % 2}
    found = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "own.npz", **arrays)
        config = experiment_from(["dataset=npz", f"dataset.path={tmp_path / name / 'own.npz'}", "clients=3"])
        found.add(build_parts(config).identity)
    assert len(found) == 1


def test_a_held_out_site_is_the_test_set_and_trains_nobody() -> None:
    world = parts("dataset.sites=3", "dataset.held_out_site=1", "partition=site", "clients=null").world
    assert len(world.shares) == 2
    assert {audit.site for audit in world.audit} == {0, 2}
    free = parts("dataset.sites=3", "partition=site", "clients=null").world
    assert {audit.site for audit in free.audit} == {0, 1, 2}
    assert len(world.test) > len(free.test)


def test_the_test_set_stays_while_seeds_vary() -> None:
    first, second = parts("seed=1").world, parts("seed=2").world
    assert (first.test.x == second.test.x).all()
    assert [len(share.train) for share in first.shares] != [len(share.train) for share in second.shares]


def test_a_metric_that_the_task_does_not_have_is_refused() -> None:
    assert "metric: expected a metric of multiclass, got acuracy. Did you mean accuracy" in words("metric=acuracy")
    assert "metric: expected a metric of multiclass, got dice." in words("metric=dice")


def test_a_metric_with_a_name_that_is_taken_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def auc(probabilities, y, seen):\n    return 0.0\n", encoding="utf-8")
    (tmp_path / "off.py").write_text("def off_by(probabilities, y, seen):\n    return 0.0\n", encoding="utf-8")
    assert "metric: expected a metric that declares which way it improves, got off_by" in words(
        f"metrics=[{tmp_path}/off.py:off_by]", "metric=off_by"
    )
    assert parts(f"metrics=[{tmp_path}/off.py:off_by]").directions.get("off_by") is None  # nothing ranks by it
    assert "metrics: expected a name of its own for every metric, got auc." in words(f"metrics=[{tmp_path}/own.py:auc]")


def test_patience_needs_validation_images(tmp_path: Path) -> None:
    splits = np.repeat([0, 2], 20)
    np.savez(tmp_path / "own.npz", images=np.zeros((40, 9, 9), np.uint8), labels=np.arange(40) % 2, splits=splits)
    given = ["dataset=npz", f"dataset.path={tmp_path}/own.npz", "dataset.val=0", "patience=2"]
    with pytest.raises(UserError, match="patience: expected validation images at some client, got none"):
        build_parts(experiment_from(given))
    build_parts(experiment_from(given[:-1]))


def test_patterns_that_match_no_weight_are_refused_together() -> None:
    found = words("strategy=fedbn+fedprox", "strategy.fedprox.local=[heads.*]")
    assert "strategy.fedbn.local: expected patterns that match weights of the model, got @norm." in found
    assert "strategy.fedprox.local: expected patterns that match weights of the model, got heads.*." in found
    assert "features.block1.conv.weight" in found


def test_faults_of_model_clients_and_metric_are_reported_together() -> None:
    sites = ("dataset.sites=2", "partition=site", "clients=null", "clients_per_round=3")
    found = words("model=unet", "dataset.side=20", "metric=dice", *sites)
    assert "model: expected a model for multiclass" in found
    assert "model: expected a side that is a multiple of 8 pixels for unet, got 20." in found
    assert "metric: expected a metric of multiclass, got dice." in found
    assert "clients_per_round: expected at most 2, the number of clients, got 3." in found


def test_methods_know_whether_augmentation_moves_masks() -> None:
    lesions = ("dataset=synthetic_segmentation", "dataset.lesions=2", "model=unet")
    given = (*lesions, "strategy=fedia", "strategy.when=in_pass")
    still = ("augment=standard", *(f"augment.{name}=0" for name in ("rotate", "translate", "scale")))
    assert "augment: expected masks that stay in place for when=in_pass" in words(*given, "augment=standard")
    assert "augment: expected masks that stay in place" in words(*given, *still)
    assert parts(*given, *still, "augment.flip=false")
