"""What a user waits for beside training: seconds of each, the least of some tries.

    python -m benchmarks.waits [--tries 5]

One thread; nothing is downloaded or trained.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from fedmed.comparison.read import read
from fedmed.data.partition import DirichletPartition, IidPartition, ImageMetadata, Partition, divide
from fedmed.metrics import tally
from fedmed.report import page
from fedmed.tasks import MultiClass
from tests.report.test_page_size import hundred


def main() -> None:
    """Prints one line per wait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=5)
    tries = parser.parse_args().tries
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        for name, wait in _waits(Path(folder)).items():
            print(f"{name:50} {min(_seconds(wait) for _ in range(tries)):7.3f} s", flush=True)


def _waits(folder: Path) -> dict[str, Callable[[], object]]:
    runs = hundred(folder / "runs")
    return {
        "fedmed compare --help": _help,
        "50,000 labels over 100 clients: iid": partial(_divide, IidPartition()),
        "50,000 labels over 100 clients: dirichlet": partial(_divide, DirichletPartition()),
        "interval of an AUC: 500 images, 1,000 resamples": _interval,
        "reading 100 runs": lambda: read([runs]),
        "the page of 100 runs": lambda: page.write(read([runs]), folder / "page"),
    }


def _help() -> None:
    subprocess.run([sys.executable, "-m", "fedmed", "compare", "--help"], stdout=subprocess.DEVNULL, check=True)


def _divide(partition: Partition) -> None:
    divide(partition, ImageMetadata(np.random.default_rng(0).integers(0, 10, 50_000), np.ones(50_000, bool)), 100, 0)


def _interval() -> None:
    g = torch.Generator().manual_seed(0)
    scores = tally(MultiClass(classes=9))
    scores.add(torch.randn(500, 9, generator=g), torch.randint(9, (500,), generator=g), None)
    scores.interval("auc", seed=0)


def _seconds(wait: Callable[[], object]) -> float:
    started = time.perf_counter()
    wait()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
