"""docs/your-data.md: every case is typed as it stands there, on a small tree of its shape."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.trees import halves, picture, pictures, pixels, table
from tests.fresh import Fedmed

PAGE = (Path(__file__).resolve().parents[1] / "docs/your-data.md").read_text(encoding="utf-8")
COMMANDS = [line for line in PAGE.splitlines() if line.startswith("fedmed ")]


def skin(root: Path) -> None:
    folders = [f"{site}/{kind}" for site in ("Ulm", "Bonn") for kind in ("benign", "malignant")]
    pictures(root, [f"{folder}/{n}.png" for folder in folders for n in range(6)])


def isic(root: Path) -> None:
    for n in range(9):
        picture(root / f"input/ISIC_{n}.jpg", pixels(20 + n, 30, colours=3))
    truth = [{"image": f"ISIC_{n}", "MEL": f"{n % 2:.1f}", "NV": f"{1 - n % 2:.1f}"} for n in range(9)]
    table(root / "truth.csv", truth)
    rows = [{"image": f"ISIC_{n}", "dataset": ("BCN", "HAM")[n % 2], "age": 50 + n} for n in range(9)]
    table(root / "metadata.csv", rows)


def chest(root: Path) -> None:
    paths = [f"train/patient{n}/view1.jpg" for n in range(9)]
    pictures(root, paths)
    values = ["1.0", "", "-1.0", "0.0"]
    table(root / "train.csv", [{"Path": f"chest/{path}", "Edema": values[n % 4], "Hernia": values[(n + 1) % 4]}
                               for n, path in enumerate(paths)])  # fmt: skip


def polyps(root: Path) -> None:
    for site in ("Kvasir", "ETIS"):
        for n in range(5):
            picture(root / f"{site}/images/{n}.png", pixels(20 + n, 30, colours=3))
            picture(root / f"{site}/masks/{n}.png", np.resize(halves(20 + n), (20 + n, 30)))


def prostate(root: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    lesion = np.zeros((16, 16, 6), np.uint8)
    lesion[4:9, 4:9, 2:4] = 1
    for site, ending in (("BIDMC", "_segmentation"), ("UCL", "_Segmentation")):
        (root / site).mkdir(parents=True)
        for case in range(4):
            voxels = np.random.default_rng(case).integers(0, 900, lesion.shape).astype(np.int16)
            for name, values in ((f"Case0{case}", voxels), (f"Case0{case}{ending}", lesion)):
                nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), root / f"{site}/{name}.nii.gz")


TREES: dict[str, Callable[[Path], None]] = {t.__name__: t for t in (skin, isic, chest, polyps, prostate)}


def test_there_are_five_cases() -> None:
    assert {re.search(r"dataset\.path=(\w+)", line)[1] for line in COMMANDS} == set(TREES)  # type: ignore[index]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_case_can_be_typed(command: str, fedmed: Fedmed, tmp_path: Path) -> None:
    name = re.search(r"dataset\.path=(\w+)", command)[1]  # type: ignore[index]
    TREES[name](tmp_path / name)
    code, out, err = fedmed(*shlex.split(command)[1:])
    assert code == 0, err
    assert "images (C x H x W)" in out
    assert (tmp_path / "contact_sheet.png").is_file()
