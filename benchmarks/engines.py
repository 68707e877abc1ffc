"""Every engine beside the bare loop and, where Ray is installed, beside Flower's own simulation: docs/performance.md.

    python benchmarks/engines.py [--repeats 7] [--quick] [--page docs/performance.md] [--json FILE]

Sides alternate within a repeat; medians, and medians of the ratios taken repeat by repeat, are reported. Quiet machines
only: another busy process on the same cores spoils every figure. --quick: two repeats of everything, to see it run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from bare_loop import Workload, make_data, measure
from rounds import compute_only, fedmed_rounds

from fedmed.client import Trainer
from fedmed.engine.contexts import Contexts
from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.local import NodeGrid
from fedmed.flower import LocalGrid
from fedmed.models.resnet18 import ResNet18
from fedmed.models.small_cnn import SmallCnn
from fedmed.rundir.environment import environment
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.scaffold import Scaffold

OFFLINE = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
"""Environment of Flower's processes: they send nothing anywhere."""

MODELS = {
    "CNN, 0.08M": SmallCnn(width=8),
    "CNN, 0.16M": SmallCnn(),
    "CNN, 0.57M": SmallCnn(width=48),
    "ResNet18, 11M": ResNet18(),
}

SIDES = {
    "bare": "bare loop",
    "bare-tuned": "bare loop, tuned",
    "compute": "training steps only",
    "inprocess": "`engine=inprocess`",
    "threads": "`engine=threads`",
    "pool": "`engine=pool`",
    "cohort": "`engine=cohort`",
}
"""Sides of process.py, and how the page calls them."""

HEAD = """\
# Performance

The training compute should be the only cost. This page is written by

```
python benchmarks/engines.py
```

on the machine below; other machines, other figures. The yardstick is the leanest plain PyTorch loop for the same work
(`benchmarks/bare_loop.py`: one resident model, index slices, sums in place, default layout, one thread). Ratios are
taken repeat by repeat, with the sides alternating, and their median is reported: below 1 is faster than the bare loop.
Evaluation is left out everywhere. No figure of a GPU is here: none was at hand.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """What a section of the page says. figures: the numbers themselves, for the JSON file."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Any

    def __str__(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "\n".join([f"## {self.title}", "", self.note, "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def rounds_table(repeats: int, rounds: int) -> Table:
    """Seconds per round of every engine, against the bare loop."""
    figures: dict[str, dict[str, list[float]]] = {side: {name: [] for name in "ABC"} for side in SIDES}
    for name in "ABC":
        for _ in range(repeats):
            for side in SIDES:
                figures[side][name].append(_round(_json(_process(side, name, rounds))))
    rows = []
    for side, found in figures.items():
        cells = [f"{_ratio(found[n], figures['bare'][n]):.2f} ({1000 * median(found[n]):.0f} ms)" for n in "ABC"]
        rows.append([SIDES[side], *cells])
    header = ["", "A: 10 of 20 clients x 200 images", "B: 10 of 20 x 32", "C: 50 of 500 x 32"]
    note = (
        "FedAvg, 28 x 28 images, a CNN of 0.165M weights, batches of 32, one epoch; pool and threads with two "
        "workers, cohorts of 10. Ratio to the bare loop (milliseconds a round). The tuned loop has two things that "
        "fedmed has too: the layout channels_last, and a C library that keeps freed memory."
    )
    return Table("A round on every engine", note, header, rows, figures)


def start_table(repeats: int) -> Table:
    """From the start of the process to the first round, and rounds, of 10 clients with 60 images."""
    sides = {"inprocess": _process("inprocess", "10,60,10", 12), "pool": _process("pool", "10,60,10", 12)}
    if find_spec("ray"):
        here = Path(__file__).with_name("flower_ray.py")
        sides["Flower's Ray simulation, 2 actors"] = [sys.executable, str(here), "10", "60", "12"]
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, command in sides.items():
            found[side].append(_json(command))
    rows = [
        [side, f"{median(run['first'] for run in runs):.1f} s", f"{1000 * median(map(_round, runs)):.0f} ms"]
        for side, runs in found.items()
    ]
    note = "10 clients with 60 images each, all of them every round; a fresh process each time, imports included."
    if "Flower's Ray simulation, 2 actors" not in sides:
        note += " Flower's Ray simulation is left out: Ray is not installed here."
    header = ["", "process start to first round", "a round"]
    return Table("Start, and small rounds", note, header, rows, found)


def memory_table() -> Table:
    """Peak memory of workload A, and of many clients."""
    found = {
        name: {side: _json(_process(side, name, 6)) for side in ("bare", "inprocess", "pool")}
        for name in ("A", "1000,32,10")
    }
    rows = [
        [
            f"{SIDES[side]}, {'10 of 20 x 200' if name == 'A' else '10 of 1,000 x 32'}",
            f"{run['peak']:.0f} MB",
            f"{run['peak'] / runs['bare']['peak']:.2f}",
            ", ".join(f"{mb:.0f} MB" for mb in run["workers"]) or "-",
        ]
        for name, runs in found.items()
        for side, run in runs.items()
    ]
    note = "A fresh process each. A worker's private memory is what it shares with no other process."
    return Table("Memory", note, ["", "peak", "against the bare loop", "private memory of workers"], rows, found)


class OnDisk(InprocessEngine):
    """In process, but no client's state stays in memory, as if all that fits were taken."""

    def grid(self, trainer: Trainer, clients: int) -> LocalGrid:
        grid = super().grid(trainer, clients)
        assert isinstance(grid, NodeGrid)
        grid.contexts = Contexts(clients, budget=0)
        return grid


def clients_table(repeats: int) -> Table:
    """A client's round, for ever more clients that keep a state."""
    sides = {"in memory": InprocessEngine(), "on disk": OnDisk()}
    found: dict[str, dict[str, list[float]]] = {}
    for clients in (10, 100, 1000, 10_000):
        workload, data = Workload(clients, 2, min(20, clients)), make_data(20, 2)
        shared = [data[i % 20] for i in range(clients)]
        for _ in range(repeats):
            for side, engine in sides.items():
                run = partial(fedmed_rounds, method=Scaffold(), engine=engine)
                seconds = measure(lambda n, t, w=workload, d=shared, r=run: r(w, n, t, d), 30)
                found.setdefault(f"{clients:,}", {}).setdefault(side, []).append(seconds / workload.per_round)
    rows = [[name, *(f"{1000 * median(figures[side]):.1f} ms" for side in sides)] for name, figures in found.items()]
    note = (
        "SCAFFOLD, whose clients keep a state as large as the model; 20 clients (at most) of two images train in a "
        "round. States wait on disk where they exceed 2 GB; here either none does or all do."
    )
    header = ["clients in all", "a client's round, states in memory", "states on disk"]
    return Table("More clients", note, header, rows, found)


def cohorts_table(repeats: int) -> Table:
    """A client's round, for ever more clients in a round."""
    sides = ("inprocess", "pool")
    found: dict[str, dict[str, list[float]]] = {}
    for many in (10, 30, 100, 300):
        for _ in range(repeats):
            for side in sides:
                seconds = _round(_json(_process(side, f"1000,32,{many}", 6)))
                found.setdefault(f"{many}", {}).setdefault(side, []).append(seconds / many)
    rows = [[name, *(f"{1000 * median(figures[side]):.1f} ms" for side in sides)] for name, figures in found.items()]
    note = "FedAvg, 1,000 clients with 32 images; milliseconds of a round for each client that trains in it."
    return Table("More clients in a round", note, ["clients in a round", *(SIDES[side] for side in sides)], rows, found)


def models_table(repeats: int) -> Table:
    """What a client costs beside its compute, for larger models."""
    figures: dict[str, dict[str, list[float]]] = {}
    workload, data = Workload(10, 32, 10), make_data(10, 32)
    for name, model in MODELS.items():
        sides = {"compute": partial(compute_only, model=model)}
        sides["inprocess"] = partial(fedmed_rounds, method=FedAvg(), model=model)
        for _ in range(repeats):
            for side, run in sides.items():
                seconds = measure(lambda n, t, r=run: r(workload, n, t, data), 6, skip=1)
                figures.setdefault(name, {}).setdefault(side, []).append(seconds)
    rows = []
    for name, found in figures.items():
        cost = median(a - b for a, b in zip(found["inprocess"], found["compute"], strict=True)) / workload.per_round
        rows.append([name, f"{100 * median(found['compute']):.1f} ms", f"{1000 * cost:.1f} ms"])
    note = "10 clients with 32 images, one step each; what a client's round takes, and what fedmed adds to it."
    return Table("Larger models", note, ["model", "compute per client", "fedmed's cost per client"], rows, figures)


def main() -> None:
    """Measures, and writes the page and the JSON file where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    repeats = 2 if given.quick else given.repeats
    tables = []
    for section in (
        partial(rounds_table, repeats, 10),
        partial(start_table, min(repeats, 3)),
        memory_table,
        partial(clients_table, min(repeats, 3)),
        partial(cohorts_table, min(repeats, 3)),
        partial(models_table, min(repeats, 5)),
    ):
        tables.append(section())
        print(tables[-1], flush=True)
    if given.page:
        given.page.write_text("\n".join([HEAD, _machine(), "", *map(str, tables)]).rstrip() + "\n", encoding="utf-8")
    if given.json:
        given.json.write_text(json.dumps([asdict(table) for table in tables], indent=2) + "\n", encoding="utf-8")


def _machine() -> str:
    found = environment()
    return f"Machine: {found['cpu']}, {found['cpus']} cores, {found['memory']} GB; torch {found['torch']}."


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def _process(side: str, workload: str, rounds: int) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("process.py")), side, workload, str(rounds)]


def _json(command: Sequence[str]) -> dict[str, Any]:
    """What the command printed last; `first`: seconds from its start to the end of its first round."""
    began = time.time()
    out = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | OFFLINE, encoding="utf-8"
    ).stdout
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found | {"first": found["rounds"][0] - began}


def _round(run: dict[str, Any]) -> float:
    """Median seconds of a round after the first."""
    return median(b - a for a, b in pairwise(run["rounds"]))


if __name__ == "__main__":
    main()
