"""What a thousand clients cost: seconds per round beside ten clients, and peak memory beside the bare loop.

    python benchmarks/many_clients.py [--repeats 5] [--rounds 20]

10 clients of 32 images train in a round, whether there are 10 or 1,000. Memory is the peak of a fresh process each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parent))

from bare_loop import Workload, make_data, measure
from peak_memory import MANY
from rounds import fedmed_rounds

from fedmed.strategies.fedavg import FedAvg

FEW = Workload(10, 32, 10)


def main() -> None:
    """Prints the ratio of round times and the ratio of peak memories."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    _times(given.repeats, given.rounds)
    peaks = {side: _peak_of_process(side) for side in ("bare", "fedmed")}
    print(f"peak memory, 1,000 clients: bare loop {peaks['bare']:.0f} MB, fedmed {peaks['fedmed']:.0f} MB")
    print(f"ratio {peaks['fedmed'] / peaks['bare']:.2f}")


def _times(repeats: int, rounds: int) -> None:
    data = make_data(MANY.clients, MANY.images)
    pairs = []
    for _ in range(repeats):
        few, many = (
            measure(lambda n, tick, w=w: fedmed_rounds(w, n, tick, data, method=FedAvg()), rounds) for w in (FEW, MANY)
        )
        pairs.append((few, many))
    few, many = (median(side) for side in zip(*pairs, strict=True))
    ratio = median(many / few for few, many in pairs)
    print(f"10 of 10 clients {few:.4f} s per round, 10 of 1,000 clients {many:.4f} s, ratio {ratio:.2f}")


def _peak_of_process(side: str) -> float:
    command = [sys.executable, str(Path(__file__).with_name("peak_memory.py")), side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
