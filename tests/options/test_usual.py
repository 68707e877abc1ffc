"""A run that chooses no model gets the usual one for the task of its dataset, as if it had been chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.config.compose import compose, plan

UNET, CNN = "fedmed.models.unet.UNet", "fedmed.models.small_cnn.SmallCnn"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = np.zeros((4, 8, 8), np.uint8)
    np.savez("masks.npz", images=images, masks=images)
    np.savez("sites.npz", a_images=images, a_masks=images)
    np.savez("both.npz", images=images, masks=images, labels=np.arange(4))
    for file in ("pairs/images/a.png", "pairs/masks/a.png", "classes/benign/a.png", "table.csv", "masks.csv"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("image,Mask path\n" if file == "masks.csv" else "image,label\n", encoding="utf-8")
    Path("broken.npz").write_bytes(b"PK")
    body = "    def load(self):\n        ...\n"
    head = "from typing import ClassVar\nfrom fedmed.data.examples import Dataset\nclass Mine(Dataset):\n    'Mine.'\n"
    Path("mine.py").write_text(f"{head}    task: ClassVar[str] = 'segmentation'\n{body}", encoding="utf-8")
    Path("silent.py").write_text(head + body, encoding="utf-8")


@pytest.mark.parametrize(
    ("overrides", "model"),
    [
        ([], CNN),
        (["dataset=synthetic_multilabel"], CNN),
        (["dataset=synthetic_segmentation"], UNET),
        (["dataset=synthetic_volumes"], UNET),
        (["dataset=synthetic_volumes", "dataset.task=multiclass"], CNN),
        (["dataset=synthetic_segmentation", "model=small_cnn"], CNN),
        (["dataset=npz", "dataset.path=masks.npz"], UNET),
        (["dataset=npz", "dataset.path=sites.npz"], UNET),
        (["dataset=npz", "dataset.path=both.npz"], CNN),
        (["dataset=npz", "dataset.path=both.npz", "dataset.target=masks"], UNET),
        (["dataset=npz", "dataset.path=both.npz", "dataset.task=segmentation"], UNET),
        (["dataset=npz", "dataset.path=broken.npz"], CNN),
        (["dataset=npz", "dataset.path=not_there.npz"], CNN),
        (["dataset=folder", "dataset.path=pairs"], UNET),
        (["dataset=folder", "dataset.path=pairs", "dataset.mask=none"], CNN),
        (["dataset=folder", "dataset.path=classes"], CNN),
        (["dataset=folder", "dataset.path=classes", "dataset.mask=_roi"], UNET),
        (["dataset=folder"], CNN),
        (["dataset=table", "dataset.path=table.csv"], CNN),
        (["dataset=table", "dataset.path=masks.csv"], UNET),
        (["dataset=mine.py"], UNET),
        (["dataset=silent.py:Mine"], CNN),
        (["experiment=fedia"], UNET),
    ],
)
def test_the_task_chooses_the_model(overrides: list[str], model: str) -> None:
    assert compose(overrides)["model._target_"] == model


@pytest.mark.parametrize(
    ("more", "overrides", "model"),
    [
        ("", [], UNET),
        ("", ["dataset.path=both.npz"], CNN),
        ("", ["dataset.path=both.npz", "dataset.target=masks"], UNET),
        ("model:\n  channels: [4, 8]\n", [], UNET),
        ("model:\n  width: 4\n", ["dataset.path=both.npz"], CNN),
    ],
)
def test_the_file_of_an_experiment_tells_the_task_too(more: str, overrides: list[str], model: str) -> None:
    Path("own/experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults:\n  - override /dataset: npz\ndataset:\n  path: masks.npz\n"
    Path("own/experiment/mine.yaml").write_text(text + more, encoding="utf-8")
    place = f"hydra.searchpath=[{Path('own').resolve()}]"
    assert compose([place, "experiment=mine", *overrides])["model._target_"] == model


def test_options_of_the_usual_model_need_not_name_it() -> None:
    assert compose(["dataset=synthetic_segmentation", "model.channels=[4,8]"])["model.channels"] == [4, 8]


def test_every_job_of_a_sweep_has_its_own() -> None:
    runs = plan(["dataset=synthetic_segmentation,synthetic_multiclass"], sweep=True).runs
    assert [run.config["model._target_"] for run in runs] == [UNET, CNN]
