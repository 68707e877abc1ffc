"""One side of a comparison in a process of its own: when rounds ended (seconds since the epoch), and memory, as JSON.

    python benchmarks/process.py bare|bare-tuned|compute|inprocess|threads|pool|cohort WORKLOAD ROUNDS

WORKLOAD: A to D of bare_loop.py, or CLIENTS,IMAGES,PER_ROUND. bare-tuned: in channels_last, and freed memory is kept.
Private memory of worker processes is reported apart.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from bare_loop import WORKLOADS, Workload, bare_loop, make_data


def main(side: str, name: str, rounds: int) -> None:
    """Runs the side and prints its figures."""
    torch.set_num_threads(1)
    workload = WORKLOADS[name] if name in WORKLOADS else Workload(*map(int, name.split(",")))
    data = make_data(workload.clients, workload.images)
    stamps, workers = list[float](), dict[str, float]()

    def tick() -> None:
        stamps.append(time.time())
        if len(stamps) == rounds:
            workers.update({pid: private(pid) for pid in children()})

    run(side)(workload, rounds, tick, data)
    print(json.dumps({"rounds": stamps, "peak": peak(), "workers": list(workers.values())}))


def run(side: str) -> Callable[..., object]:
    """What the side runs; fedmed is imported on its own sides only, and keeps freed memory as `fedmed run` does."""
    if side == "bare":
        return bare_loop
    from rounds import ENGINES, compute_only, fedmed_rounds

    from fedmed.heap import keep_freed_memory
    from fedmed.strategies.fedavg import FedAvg

    keep_freed_memory()
    if side in ENGINES:
        return partial(fedmed_rounds, method=FedAvg(), engine=ENGINES[side](2))
    return {"bare-tuned": partial(bare_loop, channels_last=True), "compute": compute_only}[side]


def peak() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 1024


def private(pid: str) -> float:
    """Private memory of a process in MB: what it shares with no other."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()]
    return sum(int(line[1]) for line in lines if line[0] in ("Private_Clean:", "Private_Dirty:")) / 1024


def children() -> list[str]:
    """Process numbers of this process's children."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
