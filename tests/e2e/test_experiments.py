"""Every experiment in configs/experiment, for two rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "configs" / "experiment").glob("*.yaml"))


def write_nuclei(file: Path) -> None:
    """Bright discs with their masks, from three sites."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    middle = rng.integers(8, 24, (48, 2, 1, 1))
    masks = np.hypot(y - middle[:, 0], x - middle[:, 1]) < 6
    images = (60 + 120 * masks + rng.integers(0, 40, masks.shape)).astype(np.uint8)
    np.savez(file, images=np.repeat(images[..., None], 3, 3), masks=masks.astype(np.uint8), sites=np.arange(48) % 3)


def write_breastmnist(file: Path) -> None:
    """Random images in the published form of BreastMNIST."""
    rng = np.random.default_rng(0)
    sizes = {"train": 80, "val": 20, "test": 20}
    images = {f"{part}_images": rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for part, n in sizes.items()}
    labels = {f"{part}_labels": rng.integers(0, 2, (n, 1), dtype=np.uint8) for part, n in sizes.items()}
    np.savez(file, **images, **labels)


def write_domains(file: Path) -> None:
    """Random images of two classes from two sites."""
    images = np.random.default_rng(0).integers(0, 256, (48, 28, 28), dtype=np.uint8)
    np.savez(file, images=images, labels=np.arange(48) % 2, sites=np.arange(48) // 24)


def write_hospitals(file: Path) -> None:
    """Random images of the eight classes of Fed-ISIC2019."""
    images = np.random.default_rng(0).integers(0, 256, (320, 28, 28, 3), dtype=np.uint8)
    np.savez(file, images=images, labels=np.arange(320) % 8)


def write_lesions(file: Path) -> None:
    """Bright squares with their masks."""
    rng = np.random.default_rng(0)
    masks = np.kron(rng.integers(0, 2, (48, 4, 4)), np.pad(np.ones((5, 5)), (0, 3))).astype(np.uint8)
    images = (60 + 120 * masks + rng.integers(0, 40, masks.shape)).astype(np.uint8)
    np.savez(file, images=images[..., None], masks=masks)


def write_findings(file: Path) -> None:
    """Random images with five findings."""
    rng = np.random.default_rng(0)
    np.savez(file, images=rng.integers(0, 256, (120, 28, 28), dtype=np.uint8), labels=rng.integers(0, 2, (120, 5)))


NEEDS = {
    "fedia": ("dataset.images=40", "dataset.test_images=20", "client_test=0.1"),
    "fedia_paper": ("dataset.path=lesions.npz", "model.channels=[8,16]", "strategy.warmup_rounds=1"),
    "fednpr": ("dataset.images=600", "dataset.test_images=80"),
    "fednpr_paper": ("dataset.path=hospitals.npz", "dataset.resize=28", "model=small_cnn"),
    "fednpr_per": ("dataset.images=600", "dataset.test_images=80"),
    "fedplvm_paper": ("dataset.path=domains.npz",),
    "nuclei_sites": ("dataset.path=nuclei.npz",),
    "breastmnist": ("dataset.root=breastmnist.npz", "dataset.verify=false"),
    "fedmlp": ("dataset.images=200", "dataset.test_images=60", "strategy.warmup_rounds=1"),
    "fedmlp_paper": ("dataset.path=findings.npz", "dataset.resize=28", "model=small_cnn", "strategy.warmup_rounds=1"),
}
"""What an experiment leaves to the user, or fewer images than it has."""


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_runs(fedmed: Any, tmp_path: Path, experiment: str) -> None:
    write_nuclei(tmp_path / "nuclei.npz")
    write_domains(tmp_path / "domains.npz")
    write_hospitals(tmp_path / "hospitals.npz")
    write_lesions(tmp_path / "lesions.npz")
    write_findings(tmp_path / "findings.npz")
    write_breastmnist(tmp_path / "breastmnist.npz")
    code, out, err = fedmed("run", f"experiment={experiment}", "rounds=2", "--json", *NEEDS.get(experiment, ()))
    assert code == 0, err
    final = json.loads(out)
    assert final["rounds"] == 2
    assert final["bytes.up"] > 0
    assert final["client.mean.loss"] > 0
    run = tmp_path / final["directory"]
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["status"] == "finished"
    assert json.loads((run / "final.json").read_text(encoding="utf-8")) == final


def test_every_experiment_says_what_it_is(fedmed: Any) -> None:
    code, out, _ = fedmed("list", "experiments")
    assert code == 0
    rows = [line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" ")]  # what goes on is indented
    assert sorted(name for name, _ in rows) == EXPERIMENTS
