"""Whether a run's memory grows with its rounds.

    python benchmarks/rounds_memory.py [ROUNDS]

A run of four clients with two images each, evaluated in every round; prints the resident memory of the process after
every tenth part of its rounds, and what it grew by per 1,000 rounds in the second half. The first half warms up.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fedmed.config.build import experiment_from
from fedmed.run import run as run_experiment
from fedmed.terminal.progress import RunDisplay

TINY = ("clients=4", "dataset.images=24", "dataset.test_images=8", "dataset.side=8", "dataset.classes=2")
REST = ("model.width=2", "partition=iid", "engine=inprocess", "local_steps=1", "checkpoint_every=1000")


class Watch(RunDisplay):
    """Notes the resident memory of the process after rounds."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.found: list[tuple[int, float]] = []

    def round(self, row: Any) -> None:
        if row["round"] % self.every == 0:
            gc.collect()
            self.found.append((row["round"], resident()))
            print(f"round {row['round']:>5}: {self.found[-1][1]:.1f} MB", flush=True)


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(rounds: int) -> None:
    watch = Watch(rounds // 10)
    with TemporaryDirectory() as folder:
        run_experiment(experiment_from([*TINY, *REST, f"rounds={rounds}"]), Path(folder, "run"), show=watch)
    (first, before), (last, after) = watch.found[len(watch.found) // 2 - 1], watch.found[-1]
    print(f"{(after - before) / (last - first) * 1000:+.2f} MB per 1,000 rounds")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
