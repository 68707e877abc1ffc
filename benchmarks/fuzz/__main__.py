"""Counts how damaged and foreign inputs end: read, refused, or one of what must never be.

    python -m benchmarks.fuzz [--inputs 12000] [--seed 0] [--kind KIND]

Memory is limited to 6 GB, so that a size that is believed unchecked shows. The last line is JSON; the exit status is 1
where an input ended in a traceback, a memory error or a hang, and the first of each are shown with their number:
`--seed S --only N` repeats one.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fuzz.inputs import kind_of, make
from benchmarks.fuzz.reading import Ending, ending

MEMORY = 6 * 10**9
NEVER = ("traceback", "memory", "hang")


def main() -> int:
    """Prints a table by kind, and what must never be; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--kind", help="of all inputs only those of this kind, such as 'run directories'")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    counts: Counter[tuple[str, str]] = Counter()
    seen: Counter[str] = Counter()
    for number in range(given.inputs) if given.only is None else [given.only]:
        if given.kind and kind_of(given.seed, number) != given.kind:
            continue
        kind, end = run(given.seed, number)
        counts[kind, end.how] += 1
        if counts.total() % 500 == 0:
            print(f"{counts.total()} inputs", file=sys.stderr, flush=True)
        if given.only is not None or (end.how in NEVER and end.output.strip()[-150:] not in seen):
            seen[end.output.strip()[-150:]] += 1
            print(f"input {number} ({kind}): {end.how}\n{end.output}", flush=True)
    for kind in sorted({kind for kind, _ in counts}):
        print(f"{kind:20}", *(f"{how} {n}" for (of, how), n in sorted(counts.items()) if of == kind), sep="  ")
    total: Counter[str] = Counter()
    for (_, how), n in counts.items():
        total[how] += n
    print(
        json.dumps(
            {"inputs": total.total(), "read": total["read"], "refused": total["refused"]} | {h: total[h] for h in NEVER}
        )
    )
    return int(any(total[how] for how in NEVER))


def run(seed: int, number: int) -> tuple[str, Ending]:
    """The kind and the ending of one input."""
    with TemporaryDirectory() as folder:
        case = make(seed, number, Path(folder))
        return case.kind, ending(case)


if __name__ == "__main__":
    raise SystemExit(main())
