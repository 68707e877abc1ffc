"""Using a trained model: exported, predicted with, started from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fedmed.api.run import load
from fedmed.config.build import experiment_from
from fedmed.run.parts import build_parts
from fedmed.rundir import checkpoint


@pytest.fixture
def images(run: Any, tmp_path: Path) -> Path:
    """An npz file with the server's test images of the default run in tests, as stored."""
    config = experiment_from(["dataset.images=160", "dataset.test_images=40", "clients=3"])
    world = build_parts(config).world
    file = tmp_path / "images.npz"
    np.savez(file, images=world.test.x[:, 0].numpy(), labels=world.test.y.numpy())
    return file


def test_predictions_are_those_of_the_final_evaluation(run: Any, fedmed: Any, tmp_path: Path, images: Path) -> None:
    final = run("run")
    code, out, err = fedmed("predict", "run", images)
    assert code == 0, err
    assert out == "wrote run/predictions.npz\n"
    with np.load(tmp_path / "run/predictions.npz") as found, np.load(images) as given:
        assert found["probabilities"].shape == (40, 6)
        assert found["probabilities"].sum(1) == pytest.approx(1, abs=1e-5)
        assert (found["prediction"] == found["probabilities"].argmax(1)).all()
        assert (found["prediction"] == given["labels"]).mean() == pytest.approx(final["test.accuracy"])


def test_the_best_model_predicts_when_asked(run: Any, fedmed: Any, tmp_path: Path, images: Path) -> None:
    final = run("run", "optimizer.lr=0.8", "rounds=6", "metric=loss")
    assert final["best.round"] < 6
    assert fedmed("predict", "run", images, "--best", "--out", "best.npz")[0] == 0
    with np.load(tmp_path / "best.npz") as found, np.load(images) as given:
        chosen = found["probabilities"][np.arange(40), given["labels"]]
    assert -np.log(chosen).mean() == pytest.approx(final["best.test.loss"], rel=1e-4)


def test_an_exported_model_starts_another_run_where_it_ended(run: Any, fedmed: Any, tmp_path: Path) -> None:
    final = run("first")
    code, out, err = fedmed("export", "first", "--out", "w.safetensors")
    assert code == 0, err
    assert out == "wrote w.safetensors\n"
    saved = checkpoint.load(tmp_path / "first/checkpoints")
    assert saved is not None
    for name, tensor in load_file(tmp_path / "w.safetensors").items():
        assert torch.equal(tensor, saved.shared[name])
    again = run("second", "model.weights=w.safetensors", "optimizer.lr=1e-12", "rounds=1")
    assert again["test.loss"] == pytest.approx(final["test.loss"], rel=1e-5)


@pytest.mark.parametrize("how", ["model.freeze=[features.block1.*]", "strategy=lora"])
def test_a_plain_run_starts_from_the_directory_of_one_with_frozen_weights(run: Any, fedmed: Any, how: str) -> None:
    final = run("first", how)
    code, _, err = fedmed("run", "model.weights=./first")
    assert code == 2
    assert "model.weights: expected a file, got none" in err
    assert "Write it: fedmed export" in err
    assert fedmed("export", "first")[1] == "wrote first/weights.safetensors\n"
    again = run("second", "model.weights=./first", "optimizer.lr=1e-12", "rounds=1")
    assert again["test.loss"] == pytest.approx(final["test.loss"], rel=1e-4)


def test_what_stayed_on_the_clients_cannot_be_predicted_with(
    run: Any, fedmed: Any, tmp_path: Path, images: Path
) -> None:
    run("run", "strategy=fedper", "rounds=1")
    code, _, err = fedmed("predict", "run", images)
    assert code == 2
    assert "a run with one global model" in err
    assert "head.weight" in err
    assert not (tmp_path / "run/predictions.npz").exists()
    assert fedmed("export", "run")[0] == 0
    assert not any(name.startswith("head") for name in load_file(tmp_path / "run/weights.safetensors"))


def test_a_run_that_shares_nothing_has_no_model_to_export(run: Any, fedmed: Any, tmp_path: Path) -> None:
    final = run("run", "strategy.local=[*]", "rounds=1")
    assert (final["bytes.up"], "test.auc" in final) == (0, False)
    code, _, err = fedmed("export", "run")
    assert code == 2
    assert "expected a run whose clients share weights" in err
    assert not (tmp_path / "run/weights.safetensors").exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((2, 9, 9), np.uint8)}, "[1, 28, 28, 'uint8'] as in training, got [1, 9, 9, 'uint8']"),
        ({"images": np.zeros((2, 28, 28, 3), np.uint8)}, "as in training, got [3, 28, 28, 'uint8']"),
        ({"images": np.zeros((2, 28, 28), np.float32)}, "as in training, got [1, 28, 28, 'float32']"),
        ({"pictures": np.zeros((2, 28, 28), np.uint8)}, "expected an array named images, got pictures"),
    ],
    ids=["size", "channels", "type", "name"],
)
def test_images_that_do_not_fit_are_refused(
    run: Any, fedmed: Any, tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    run("run", "rounds=1")
    np.savez(tmp_path / "odd.npz", **arrays)
    code, out, err = fedmed("predict", "run", "odd.npz")
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "run/predictions.npz").exists()


def test_a_run_without_a_checkpoint_has_no_model_yet(run: Any, fedmed: Any, images: Path) -> None:
    run("run", "checkpoint_every=9", stop=1)
    for command in (("export", "run"), ("predict", "run", images)):
        code, _, err = fedmed(*command)
        assert code == 2
        assert "expected a run with a checkpoint, got none. Run it: fedmed run resume=run" in err


@pytest.mark.parametrize("command", ["export", "predict"])
def test_the_file_to_write_may_lie_in_a_new_folder_and_is_no_folder(
    run: Any, fedmed: Any, tmp_path: Path, images: Path, command: str
) -> None:
    run("run", "rounds=1")
    given = ("run", images) if command == "predict" else ("run",)
    assert fedmed(command, *given, "--out", "new/folder/file") == (0, "wrote new/folder/file\n", "")
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["file"]
    code, out, err = fedmed(command, *given, "--out", "new/folder")
    assert (code, out) == (2, "")
    assert "--out: the folder new/folder instead of a file" in err


def test_the_card_of_a_model_says_what_it_expects(run: Any, tmp_path: Path) -> None:
    run("run", "rounds=1")
    card = json.loads((tmp_path / "run/model.json").read_text(encoding="utf-8"))
    assert (card["task"], card["classes"], card["channels"], card["side"]) == ("multiclass", 6, 1, 28)
    assert card["pixels"] == "uint8"


PHN = ("strategy=phn_hvvs", "strategy.warmup=1", "strategy.rays=4", "optimizer.name=adam", "optimizer.lr=0.01")


def test_a_model_for_every_compromise_is_asked_for_one(run: Any, fedmed: Any, tmp_path: Path, images: Path) -> None:
    run("run", *PHN)
    weights = {}
    for name, preference in (("even", None), ("first", "preference=[1,0,0]"), ("last", "preference=[0, 0, 2.5]")):
        asked = () if preference is None else (preference,)
        assert fedmed("predict", "run", images, "--out", f"{name}.npz", *asked) == (0, f"wrote {name}.npz\n", "")
        assert fedmed("export", "run", "--out", f"{name}.safetensors", *asked)[0] == 0
        weights[name] = load_file(tmp_path / f"{name}.safetensors")
        assert {key for key in weights[name] if key.startswith("head")} == {"head.weight", "head.bias"}
    assert not torch.equal(weights["first"]["head.weight"], weights["last"]["head.weight"])
    with np.load(tmp_path / "even.npz") as even, np.load(tmp_path / "last.npz") as last:
        assert not np.allclose(even["probabilities"], last["probabilities"])
    # an exported compromise is a plain model, whose predictions are those of the same preference
    run("plain", "model.weights=last.safetensors", "optimizer.lr=1e-12", "rounds=1")
    assert fedmed("predict", "plain", images)[0] == 0
    with np.load(tmp_path / "plain/predictions.npz") as plain, np.load(tmp_path / "last.npz") as last:
        assert np.allclose(plain["probabilities"], last["probabilities"], atol=1e-4)
    shown = load("run").predict(images, preference=[0, 0, 1])
    with np.load(tmp_path / "last.npz") as last:
        assert (shown.probabilities == last["probabilities"]).all()


def test_a_client_predicts_with_the_ray_that_it_has_found(run: Any, fedmed: Any, tmp_path: Path) -> None:
    run("run", *PHN)
    share = build_parts(experiment_from(["dataset.images=160", "dataset.test_images=40", "clients=3", PHN[0]])).world
    test = share.shares[1].test
    np.savez(tmp_path / "one.npz", images=test.x[:, 0].numpy())
    assert fedmed("predict", "run", "one.npz", "--client", "1")[0] == 0
    with np.load(tmp_path / "run/predictions.npz") as found:
        right = (found["prediction"] == test.y.numpy()).mean()
    rows = [row for row in load("run").clients if row["client"] == 1 and "client.accuracy" in row]
    assert right == pytest.approx(rows[-1]["client.accuracy"])


def test_what_cannot_be_asked_of_a_model_is_refused(run: Any, fedmed: Any, tmp_path: Path, images: Path) -> None:
    run("plain", "rounds=1")
    run("phn", "rounds=2", *PHN)
    for name, asked, words in (
        ("plain", "preference=[1,0,0]", "preference: expected an argument that a model of fedavg takes"),
        ("phn", "preferences=[1,0,0]", "Did you mean preference?"),
        ("phn", "preference=[1,0]", "expected 3 weights of at least 0, not all of them 0, got [1, 0]"),
        ("phn", "preference=[0,0,0]", "got [0, 0, 0]"),
        ("phn", "preference=[1,-1,1]", "got [1, -1, 1]"),
        ("phn", "preference=[1,.inf,1]", "got [1, inf, 1]"),
        ("phn", "preference=first", "got first"),
        ("phn", "preference=[1", "[1, whose value is no number, word or list"),
        ("phn", "preference", "preference instead of NAME=VALUE"),
    ):
        code, out, err = fedmed("predict", name, images, asked)
        assert (code, out) == (2, "")
        assert words in err
        assert not (tmp_path / name / "predictions.npz").exists()


VOLUMES = ("dataset=synthetic_volumes", "dataset.images=12", "dataset.test_images=4", "dataset.side=16", "rounds=1",
           "model=unet", "model.channels=[4,8]")  # fmt: skip


def test_masks_of_volumes_are_predicted_and_images_refused(run: Any, fedmed: Any, tmp_path: Path) -> None:
    run("run", *VOLUMES)
    x = build_parts(experiment_from([*VOLUMES, "clients=3"])).world.test.x
    np.savez(tmp_path / "volumes.npz", images=x[:, 0].numpy())
    np.savez(tmp_path / "slices.npz", images=x[:, 0, 0].numpy())
    assert fedmed("predict", "run", "volumes.npz")[0] == 0
    with np.load(tmp_path / "run/predictions.npz") as found:
        assert found["probabilities"].shape == (4, 2, 16, 16, 16)
        assert found["prediction"].shape == (4, 16, 16, 16)
        again = load("run").predict(x)
        assert (again.prediction == found["prediction"]).all()
        assert (load("run").predict(x[:, 0].numpy()).prediction == found["prediction"]).all()
    code, _, err = fedmed("predict", "run", "slices.npz")
    assert code == 2
    assert "expected volumes (N, D, H, W)" in err
