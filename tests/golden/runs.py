"""The golden runs: small, one per task, with the numbers of every round in rounds.json and how far others may be.

`python -m tests.golden.runs` writes the file anew. A change that moves the numbers says why in its commit.

Processors add in different orders, so that gradients differ in their last bits; now and then another pixel is then
the largest of a pool, and training makes the difference grow: at learning rate .1 to .01 of a loss within three
rounds. The runs are therefore gentle, and the tolerances are measured: as far as runs get whose gradients have noise
(`Nudge`) that moves them further than any other set of instructions did, times SAFETY.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from fedmed.config.build import experiment_from
from fedmed.run import run as run_experiment
from fedmed.terminal.progress import make_run_display

FILE = Path(__file__).with_name("rounds.json")
NUDGE = Path(__file__).with_name("nudge.py")

RUNS = {
    "multiclass": (
        "strategy=fedprox", "strategy.fedprox.mu=2", "dataset=synthetic_multiclass", "dataset.images=300",
        "dataset.test_images=100", "clients=4", "local_steps=5",
    ),
    "multilabel": (
        "strategy=fedavg", "dataset=synthetic_multilabel", "dataset.images=300", "dataset.test_images=100",
        "annotation=missing_labels", "clients=3", "optimizer.lr=0.03", "optimizer.momentum=0.9",
        "optimizer.state=persist",
    ),
    "segmentation": (
        "strategy=fedavg", "dataset=synthetic_segmentation", "dataset.images=60", "dataset.test_images=20",
        "dataset.side=32", "model=unet", "model.channels=[8,16]", "batch_size=8", "clients=3", "optimizer.name=adam",
        "optimizer.lr=0.003",
    ),
    "breastmnist": (
        "strategy=scaffold", "dataset=medmnist", "dataset.name=breastmnist", "dataset.root={shared}/breastmnist",
        "partition.alpha=0.5", "clients=3",
    ),
}  # fmt: skip
"""Options of every golden run, the strategy first, each for three rounds; {shared} is the folder of real images."""

METRICS = {
    "multiclass": ("loss", "test.loss", "test.auc", "client.mean.loss"),
    "multilabel": ("loss", "test.loss", "test.auc", "test.map", "client.mean.loss"),
    "segmentation": ("loss", "test.loss", "test.dice", "test.iou", "client.mean.dice"),
    "breastmnist": ("loss", "test.loss", "test.auc", "client.mean.loss"),
}
"""The numbers that are kept of every round; none that jumps, as accuracy does by a whole image."""

SIZE, DRAWS, SAFETY = 0.001, 8, 3.0
"""How large nudges are, how many nudged runs the tolerances come from, and how many times as far as the furthest of
them others may be."""

LEAST = {"loss": 0.0001, "auc": 0.001, "map": 0.001, "dice": 0.0003, "iou": 0.0003}
"""The smallest tolerance: AUC and precision move by whole pairs of images, all others in their last kept digits."""

Rows = list[dict[str, float]]


def rounds(name: str, shared: Path, *others: str) -> Rows:
    """The kept numbers of every round of a golden run. others: further options."""
    given = [option.format(shared=shared) for option in RUNS[name]]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        options = [*given, "rounds=3", "seed=0", "engine=inprocess", *others]
        run_experiment(experiment_from(options), directory, show=make_run_display(quiet=True))
        rows = map(json.loads, (directory / "rounds.jsonl").read_text(encoding="utf-8").splitlines())
        return [{metric: round(row[metric], 5) for metric in METRICS[name]} for row in rows]


def nudged(name: str, shared: Path, size: float) -> Rows:
    """The numbers of a run whose gradients have other last bits; every size gives others."""
    return rounds(name, shared, f"{RUNS[name][0]}+{NUDGE}:Nudge", f"strategy.nudge.size={size}")


def furthest(rows: Rows, others: Rows) -> dict[str, float]:
    """By how much each number differs at most, over the rounds."""
    return {m: max(abs(a[m] - b[m]) for a, b in zip(rows, others, strict=True)) for m in rows[0]}


def measure(name: str, shared: Path) -> dict[str, Any]:
    """What rounds.json says of a run."""
    rows = rounds(name, shared)
    found = [furthest(rows, nudged(name, shared, SIZE + draw * SIZE / 100)) for draw in range(DRAWS)]
    floors = {metric: LEAST[metric.rpartition(".")[2]] for metric in METRICS[name]}
    tolerance = {m: round(max(floors[m], SAFETY * max(each[m] for each in found)), 5) for m in METRICS[name]}
    return {"tolerance": tolerance, "rounds": rows}


def record() -> None:
    """Writes rounds.json anew."""
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    FILE.write_text(json.dumps({name: measure(name, shared) for name in RUNS}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
