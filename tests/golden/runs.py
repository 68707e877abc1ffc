"""The golden runs: small, one per task, with the numbers of every round in rounds.json.

`python -m tests.golden.runs` writes the file anew. A change that moves the numbers says why in its commit.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from fedmed import runner
from fedmed.config import compose
from fedmed.results.progress import make_show

FILE = Path(__file__).with_name("rounds.json")

RUNS = {
    "multiclass": (
        "dataset=synthetic_multiclass", "dataset.images=300", "dataset.test_images=100", "strategy=fedprox",
        "strategy.mu=2", "clients=4", "optimizer.lr=0.1",
    ),
    "multilabel": (
        "dataset=synthetic_multilabel", "dataset.images=300", "dataset.test_images=100", "annotation=missing_labels",
        "clients=3", "optimizer.lr=0.1", "optimizer.momentum=0.9", "optimizer.state=persist",
    ),
    "segmentation": (
        "dataset=synthetic_segmentation", "dataset.images=60", "dataset.test_images=20", "dataset.side=32",
        "model=unet", "model.channels=[8,16]", "batch_size=8", "clients=3", "optimizer.name=adam", "optimizer.lr=0.01",
    ),
    "breastmnist": (
        "dataset=medmnist", "dataset.name=breastmnist", "dataset.root={shared}/breastmnist", "partition.alpha=0.5",
        "strategy=scaffold", "clients=3", "optimizer.lr=0.05",
    ),
}  # fmt: skip
"""Options of every golden run, each for three rounds; {shared} is the folder of real images."""

METRICS = {
    "multiclass": ("loss", "test.loss", "test.auc", "test.accuracy", "client.mean.loss"),
    "multilabel": ("loss", "test.loss", "test.auc", "test.map", "client.mean.loss"),
    "segmentation": ("loss", "test.loss", "test.dice", "test.iou", "client.mean.dice"),
    "breastmnist": ("loss", "test.loss", "test.auc", "test.accuracy", "client.mean.loss"),
}
"""The numbers that are kept of every round."""


def rounds(name: str, directory: Path, shared: Path) -> list[dict[str, Any]]:
    """The kept numbers of every round of a golden run."""
    options = [option.format(shared=shared) for option in RUNS[name]]
    runner.run(compose.compose([*options, "rounds=3", "seed=0"]), directory, show=make_show(quiet=True))
    rows = map(json.loads, (directory / "rounds.jsonl").read_text().splitlines())
    return [{metric: round(row[metric], 5) for metric in METRICS[name]} for row in rows]


def record() -> None:
    """Writes rounds.json anew."""
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    with tempfile.TemporaryDirectory() as folder:
        found = {name: rounds(name, Path(folder) / name, shared) for name in RUNS}
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    record()
