"""The few images that a run keeps for its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.config.build import experiment_from
from fedmed.run.parts import build_parts
from fedmed.rundir.federation import load_federation
from fedmed.rundir.kept_images import NAME, ImagePanel, KeptImages, load

MASKS = ("dataset=synthetic_segmentation", "model=unet", "model.channels=[4,8]")
MASKS += (
    "dataset.lesions=4",
    "dataset.side=32",
    "dataset.images=48",
    "dataset.test_images=16",
    "annotation=incomplete_masks",
)


def kept(folder: Path) -> KeptImages:
    found = load(folder)
    assert found is not None
    return found


def panel(found: ImagePanel | None) -> ImagePanel:
    assert found is not None
    return found


def test_methods_and_seeds_show_the_same_test_images(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1", "strategy=fedavg")
    run("b", "rounds=2", "strategy=fedprox", "seed=1")
    a, b = (panel(kept(tmp_path / name).test) for name in "ab")
    assert (a.index == b.index).all()
    assert (a.x == b.x).all()
    assert not (a.predicted == b.predicted).all()
    assert (tmp_path / "a" / NAME).stat().st_size < 100_000


def test_mistakes_are_wrong_and_the_surest_comes_first(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1", "optimizer.lr=0.3")
    found = panel(kept(tmp_path / "a").mistakes)
    assert found.predicted is not None
    assert (found.predicted.argmax(1) != found.truth).all()
    sure = found.predicted.max(1)
    assert (np.diff(sure) <= 0).all()


def test_findings_furthest_off_are_mistakes(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1", "dataset=synthetic_multilabel", "annotation=missing_labels", "strategy=fedmlp")
    found, training = kept(tmp_path / "a"), panel(kept(tmp_path / "a").training)
    mistakes = panel(found.mistakes)
    assert mistakes.predicted is not None
    assert (np.abs(mistakes.predicted - mistakes.truth).max(1) > 0.5).all()
    assert training.given_seen is not None
    assert not training.given_seen.all()
    assert training.corrected is not None, "fedmlp may relabel"


def test_masks_are_shown_as_true_given_and_corrected(run: Any, tmp_path: Path) -> None:
    run("ia", *MASKS, "strategy=fedia", "strategy.trigger=fixed_round", "strategy.flag_round=2", "rounds=5",
        "strategy.threshold=0.01", "strategy.warmup_rounds=1", "strategy.exempt_above=null")  # fmt: skip
    run("avg", *MASKS, "rounds=1")
    found, plain = (panel(kept(tmp_path / name).training) for name in ("ia", "avg"))
    assert found.given is not None
    assert found.corrected is not None
    assert ((found.given > 0) <= (found.truth > 0)).all(), "masks lack lesions"
    assert (found.given != found.truth).any()
    assert ((found.corrected > 0) >= (found.given > 0)).all()
    assert (found.corrected != found.given).any(), "and something was added"
    assert (plain.given == found.given).all()
    assert plain.corrected is None
    test = panel(kept(tmp_path / "ia").test)
    assert test.predicted is not None
    assert test.predicted.shape == test.truth.shape


def test_complete_annotation_shows_no_training_images(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1")
    assert kept(tmp_path / "a").training is None


def test_a_net_with_local_parts_is_a_clients(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1", "strategy.local=[*]")
    assert kept(tmp_path / "a").client == 0
    assert len(panel(kept(tmp_path / "a").test)) > 0


def test_what_goes_wrong_is_a_warning(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: Callable[[str], Any]
) -> None:
    monkeypatch.setattr("fedmed.run.examples.save", lambda *given: 1 / 0)
    with pytest.warns(UserWarning, match="no example images were kept: ZeroDivisionError"):
        run("a", "rounds=1")
    assert (tmp_path / "a" / "final.json").exists()


def test_a_run_keeps_who_holds_what(run: Any, tmp_path: Path) -> None:
    run("a", "rounds=1", "partition=iid")
    picture = load_federation(tmp_path / "a")
    assert picture is not None
    assert (len(picture.client_names), picture.server_test) == (3, 40)
    assert picture.title.startswith("synthetic_multiclass · iid")


VOLUMES = ("dataset=synthetic_volumes", "dataset.images=16", "dataset.test_images=6", "dataset.side=16", "rounds=1")


def test_of_a_volume_the_slice_that_shows_most_of_its_mask_is_kept(run: Any, tmp_path: Path) -> None:
    run("a", *VOLUMES, "model=unet", "model.channels=[4,8]", "annotation=incomplete_masks")
    world = build_parts(experiment_from([*VOLUMES, "clients=3"])).world
    test, training = (panel(getattr(kept(tmp_path / "a"), name)) for name in ("test", "training"))
    assert test.slices is not None
    for n, (row, at) in enumerate(zip(test.index, test.slices, strict=True)):
        sizes = (world.test.y[row] > 0).sum((1, 2))
        assert sizes[at] == sizes.max() > 0
        assert (test.truth[n] == world.test.y[row, at].numpy()).all()
        assert (test.x[n] == world.test.x[row, :, at].numpy()).all()
    assert test.predicted is not None
    assert test.predicted.shape == test.truth.shape == (len(test), 16, 16)
    assert training.given is not None
    assert ((training.given > 0) <= (training.truth > 0)).all()


def test_of_a_volume_of_a_class_the_middle_slice_is_kept(run: Any, tmp_path: Path) -> None:
    run("a", *VOLUMES, "dataset.task=multiclass")
    test = panel(kept(tmp_path / "a").test)
    assert test.slices is not None
    assert test.slices.tolist() == [8] * len(test)
    assert test.x.shape[1:] == (1, 16, 16)
