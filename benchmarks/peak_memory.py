"""Peak resident memory in MB of a fresh process that runs five rounds of 10 of 1,000 clients with 32 images each.

python benchmarks/peak_memory.py bare|fedmed
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from bare_loop import Workload, bare_loop, make_data

MANY = Workload(1000, 32, 10)


def main(side: str) -> None:
    """Runs one side and prints its peak; fedmed is imported only on its own side."""
    torch.set_num_threads(1)
    data = make_data(MANY.clients, MANY.images)
    if side == "bare":
        bare_loop(MANY, 5, lambda: None, data)
    else:
        from rounds import fedmed_rounds

        from fedmed.strategies.fedavg import FedAvg

        fedmed_rounds(MANY, 5, lambda: None, data, method=FedAvg())
    print(_peak())


def _peak() -> float:
    """Peak of this process alone: getrusage also counts what a parent held before it started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if "VmHWM" in line).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1])
