"""Files that are not right: exit code 2, one clear sentence that names the file, and nothing in the runs folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.data import medmnist_info


def images(number: int = 40, side: int = 12, **more: Any) -> dict[str, Any]:
    """Grey images of two classes, as the arrays of an npz file."""
    rng = np.random.default_rng(0)
    found = {"images": rng.integers(0, 256, (number, side, side), dtype=np.uint8), "labels": np.arange(number) % 2}
    return found | more


FILES = {
    "labels below 0": (images(labels=np.arange(40) % 2 - 1), "labels: expected whole numbers from 0, got -1."),
    "labels between numbers": (images(labels=np.arange(40) % 2 + 0.5), "labels: expected whole numbers, got 0.5."),
    "one label short": (
        images(labels=np.arange(39) % 2),
        "labels: expected one row per image, got 39 for 40 in images.",
    ),
    "one class only": (images(labels=np.zeros(40, int)), "labels: expected at least two classes, got only zeros."),
    "wrong keys": ({"pictures": np.zeros((4, 8, 8)), "y": np.zeros(4)}, "got pictures, y. Rename the arrays."),
    "a mistyped key": (
        images(site=np.zeros(40)),
        "site: expected a known name, got one that is not. Did you mean sites?",
    ),
    "NaN pixels": (
        {"images": np.full((40, 12, 12), np.nan, np.float32), "labels": np.arange(40) % 2},
        "images: expected finite pixels, got NaN or infinite values",
    ),
    "channels first": (
        images(images=np.zeros((40, 3, 12, 12), np.uint8)),
        "images: expected grey or RGB images, got shape",
    ),
    "numbers that are no pixels": (
        images(images=np.full((40, 12, 12), -7)),
        "images: expected uint8 or floating-point",
    ),
    "Python objects": (images(labels=np.array([{}] * 40)), "labels: expected an array of numbers, got Python objects."),
    "test images of another size": (
        {
            "train_images": np.zeros((40, 12, 12), np.uint8),
            "train_labels": np.arange(40) % 2,
            "test_images": np.zeros((9, 14, 14), np.uint8),
            "test_labels": np.arange(9) % 2,
        },
        "test_images: expected images (C, H, W) (1, 12, 12) uint8 as in train_images, got (1, 14, 14)",
    ),
}


@pytest.mark.parametrize(("arrays", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_not_right_is_refused(refused: Any, tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    (line,) = refused("dataset=npz", "dataset.path=own.npz")
    assert "own.npz" in line
    assert words in line


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.zeros((40, 16, 16), np.uint8), "masks: expected masks of (32, 32) pixels like the images, got (16, 16)."),
        (np.full((40, 32, 32), 300), "masks: expected mask values 0 to 254, got values up to 300."),
        (np.zeros((40, 32, 32), np.uint8), "masks: expected at least two classes, got only zeros."),
    ],
    ids=["size", "values", "empty"],
)
def test_masks_that_do_not_fit_are_refused(refused: Any, tmp_path: Path, masks: Any, words: str) -> None:
    np.savez(tmp_path / "own.npz", images=images(side=32)["images"], masks=masks)
    (line,) = refused("dataset=npz", "dataset.path=own.npz", "model=unet")
    assert words in line


def damaged(kind: str, whole: bytes) -> bytes:
    """The bytes of a file, damaged."""
    middle = len(whole) // 2
    flipped = bytes(255 - byte for byte in whole[middle : middle + 64])
    return {
        "truncated": whole[:middle],
        "corrupted": whole[:middle] + flipped + whole[middle + 64 :],
        "empty": b"",
        "another kind of": b"\x89PNG" + whole,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        ("truncated", "Copy or download the file again"),
        ("corrupted", "Copy or download the file again"),
        ("empty", "Copy or download the file again"),
        ("another kind of", "a PNG image. Store images and labels as arrays"),
    ],
)
def test_a_damaged_file_is_named(refused: Any, tmp_path: Path, kind: str, fix: str) -> None:
    np.savez_compressed(tmp_path / "own.npz", **images(number=200))
    (tmp_path / "own.npz").write_bytes(damaged(kind, (tmp_path / "own.npz").read_bytes()))
    (line,) = refused("dataset=npz", "dataset.path=own.npz")
    assert "own.npz" in line
    assert fix in line


def test_a_path_near_a_file_names_it(refused: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "nuclei.npz", **images())
    (line,) = refused("dataset=npz", "dataset.path=nuclie.npz")
    assert "there is nuclei.npz" in line


def test_weights_for_other_channels_are_brought_to_the_images_and_it_is_said(fedmed: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "grey.npz", **images(side=28))
    np.savez(tmp_path / "colour.npz", **images(images=np.zeros((40, 28, 28, 3), np.uint8)))
    code, _, err = fedmed("run", "rounds=1", "dataset=npz", "dataset.path=grey.npz", "clients=2", "hydra.run.dir=first")
    assert code == 0, err
    fedmed("export", "first", "--out", "grey.safetensors")
    weights = "model.weights=grey.safetensors"
    code, _, err = fedmed("run", "rounds=1", "dataset=npz", "dataset.path=colour.npz", weights, "clients=2")
    assert code == 0, err
    assert "Filters brought to the channels of the images: features.block1.conv.weight." in err


def test_weights_that_are_no_weights_are_refused(refused: Any, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    assert "model.weights: expected a file, got none at" in refused("model.weights=nope.safetensors")[0]
    assert "model.weights: expected a safetensors file" in refused("model.weights=w.safetensors")[0]


def test_a_changed_medmnist_file_is_refused(refused: Any, shared_data: Path, tmp_path: Path) -> None:
    content = bytearray((shared_data / "breastmnist/breastmnist.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "breastmnist.npz").write_bytes(content)
    (line,) = refused("dataset=medmnist", "dataset.root=.", "clients=2")
    assert f"breastmnist.npz: expected MD5 {medmnist_info.MEDMNIST['breastmnist'].md5[28]}, got " in line
    assert "dataset.verify=false" in line


def test_without_a_network_the_file_to_bring_is_named(
    refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medmnist_info, "RECORD", "http://127.0.0.1:1")  # a closed port of this machine
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (line,) = refused("dataset=medmnist", "dataset.name=pathmnist", "dataset.root=here")
    target = tmp_path / "here" / "pathmnist.npz"
    for message in (
        "http://127.0.0.1:1/pathmnist.npz",
        medmnist_info.MEDMNIST["pathmnist"].md5[28],
        "here/pathmnist.npz",
    ):
        assert message in line
    assert not target.exists()
