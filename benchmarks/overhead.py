"""What a round of each method costs, against FedAvg on the same work: whole runs that alternate in one process.

    python benchmarks/overhead.py [fedia fedmlp fednpr fedplvm ...] [--repeats 7]

Seconds are those of a round without evaluation; ratios are taken pair by pair, and their median is reported.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from fedmed.cli.main import main as fedmed

ROUNDS = 8
CLASSIFICATION = ("dataset=synthetic_multiclass", "partition=iid", "dataset.images=2500")
FINDINGS = ("dataset=synthetic_multilabel", "annotation=missing_labels", "augment=standard", "dataset.images=2500")
MASKS = (
    "dataset=synthetic_segmentation",
    "dataset.lesions=6",
    "annotation=incomplete_masks",
    "model=unet",
    "partition=iid",
)


class Work(NamedTuple):
    """What is timed: overrides of both sides and of the method, and its stages as rounds [first, last)."""

    base: tuple[str, ...]
    method: tuple[str, ...]
    stages: dict[str, tuple[int, int]]


WORK = {
    "fednpr": Work(CLASSIFICATION, ("strategy=fednpr",), {"every round": (1, ROUNDS)}),
    "fedprox+fednpr": Work(CLASSIFICATION, ("strategy=fedprox+fednpr",), {"every round": (1, ROUNDS)}),
    "fedplvm": Work(CLASSIFICATION, ("strategy=fedplvm",), {"with prototypes": (1, ROUNDS)}),
    "fedmlp": Work(
        FINDINGS,
        ("strategy=fedmlp", f"strategy.warmup_rounds={ROUNDS // 2}"),
        {"stage 1": (1, ROUNDS // 2), "stage 2": (ROUNDS // 2, ROUNDS)},
    ),
    "fedia": Work(MASKS, ("strategy=fedia",), {"every round": (1, ROUNDS)}),
}


def main() -> None:
    """Prints one line per method and stage."""
    given = _arguments()
    for name in given.methods:
        work, ratios = WORK[name], {stage: [] for stage in WORK[name].stages}
        for _ in range(given.repeats):
            plain, ours = _seconds((*work.base, "strategy=fedavg")), _seconds((*work.base, *work.method))
            for stage, (first, last) in work.stages.items():
                ratios[stage].append(median(ours[first:last]) / median(plain[first:last]))
        for stage, found in ratios.items():
            print(
                f"{name:16} {stage:16} {median(found):.2f} x fedavg ({min(found):.2f} to {max(found):.2f})", flush=True
            )


def _seconds(overrides: Sequence[str]) -> list[float]:
    """Seconds of every round of a run, evaluation left out."""
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        directory = Path(folder) / "run"
        settings = (f"rounds={ROUNDS}", f"eval_every={ROUNDS}", "scopes=[test]", f"hydra.run.dir={directory}")
        if fedmed(["run", "--quiet", *overrides, *settings]):
            raise SystemExit("the run failed")
        rows = [json.loads(line) for line in (directory / "rounds.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["seconds"] - row.get("seconds.evaluate", 0) for row in rows]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", default=list(WORK), help=f"of {', '.join(WORK)}; all by default")
    parser.add_argument("--repeats", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
