"""What a user waits for in a default run, in process and on the pool, of this checkout and of others; medians.

    python benchmarks/default_run.py [--repeats 5] [CHECKOUT ...]

Sides alternate within a repeat. Seconds: whole command; in rounds; of these evaluating; everything else (start and
end). Processor: seconds of user and system time, of all processes, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parents[1]
ENTRY = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from fedmed.cli.main import main; sys.exit(main(sys.argv[1:]))"
)
COLUMNS = ("whole", "rounds", "evaluate", "else", "processor")


def main() -> None:
    """Prints a row per checkout and engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    sides = [(root, engine) for root in (*given.checkouts, HERE) for engine in ("inprocess", "pool")]
    found: dict[tuple[Path, str], list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(given.repeats):
        for side in sides:
            found[side].append(_run(*side))
    print("| | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    for (root, engine), runs in found.items():
        cells = " | ".join(f"{median(run[name] for run in runs):.2f} s" for name in COLUMNS)
        print(f"| {root.name}, `engine={engine}` | {cells} |")


def _run(root: Path, engine: str) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        environment = os.environ | {"FEDMED_RUNS": folder, "OMP_NUM_THREADS": "1"}
        began, before = time.perf_counter(), _processor()
        command = [sys.executable, "-c", ENTRY, str(root.resolve()), "run", "-q", f"engine={engine}"]
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=folder)
        whole, processor = time.perf_counter() - began, _processor() - before
        (file,) = Path(folder).glob("*/rounds.jsonl")
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rounds = sum(row["seconds"] for row in rows)
    evaluate = sum(row["seconds.evaluate"] for row in rows)
    return dict(zip(COLUMNS, (whole, rounds, evaluate, whole - rounds, processor), strict=True))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
