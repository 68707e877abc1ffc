"""Wall time of a comparison against the same runs one after another, each side in a process of its own.

    python benchmarks/compare.py [--repeats 3] [--workers N] [OVERRIDE ...]

One side is `fedmed compare`, from the start of its process to the page on disk; the other one process that does
`fedmed run` once for every strategy and seed, at one thread. Both begin in an empty folder; repeats alternate.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

STRATEGIES, SEEDS = ("fedavg", "fedprox", "scaffold", "moon"), range(5)
WORLD = ("experiment=smoke",)

ONE_AFTER_ANOTHER = """\
import itertools, json, sys
from fedmed.cli.main import main
strategies, seeds, overrides = json.loads(sys.argv[1])
for strategy, seed in itertools.product(strategies, seeds):
    if main(["run", "--quiet", *overrides, f"strategy={strategy}", f"seed={seed}"]):
        sys.exit(1)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", default=WORLD)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_intermixed_args()
    overrides = given.overrides or list(WORLD)
    arguments = json.dumps([STRATEGIES, list(SEEDS), overrides])
    apart = [sys.executable, "-c", ONE_AFTER_ANOTHER, arguments]
    axes = [f"strategy={','.join(STRATEGIES)}", f"seed={','.join(map(str, SEEDS))}"]
    flags = ["--no-references", "--quiet", f"--workers={given.workers}"]
    together = [sys.executable, "-m", "fedmed", "compare", *overrides, *axes, *flags]
    times = [(seconds(apart), seconds(together)) for _ in range(given.repeats)]
    for one, other in times:
        print(
            f"one after another {one:6.1f} s   compare with {given.workers} workers {other:6.1f} s   {other / one:.2f}"
        )
    print(f"median ratio {median(other / one for one, other in times):.2f}")


def seconds(command: list[str]) -> float:
    """Wall time of a command in an empty folder."""
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    environment.pop("FEDMED_RUNS", None)
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
