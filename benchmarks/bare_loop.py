"""The yardstick of every speed ratio: the leanest plain PyTorch loop for one small federated workload.

28x28x1 images, 9 classes, a CNN of 164,745 parameters, 1 local epoch, batch 32, SGD 0.05, FedAvg weighted by images,
1 torch thread: one resident model, index slices of tensors in memory, sums in place, and nothing else.

    python benchmarks/bare_loop.py [A|B|C|D] [rounds]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES, SIDE, BATCH, LR = 9, 28, 32, 0.05

Data = Sequence[tuple[Tensor, Tensor]]
OnRound = Callable[[], None]


class Workload(NamedTuple):
    """How many clients there are, how many images each holds, and how many train in a round."""

    clients: int
    images: int
    per_round: int


WORKLOADS = {
    "A": Workload(20, 200, 10),
    "B": Workload(20, 32, 10),
    "C": Workload(500, 32, 50),
    "D": Workload(20, 2, 20),  # next to no compute: what a client costs beside it
}


class SmallCNN(nn.Module):
    """Two 5x5 convolutions (16 and 32 channels) and two linear layers (96 and 9), as one writes it in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.fc1, self.fc2 = nn.Linear(32 * 7 * 7, 96), nn.Linear(96, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 9) of images (B, 1, 28, 28)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits


def make_data(clients: int, images: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    """[(x (N, 1, 28, 28) float32, y (N,) int64)] per client: class templates plus noise."""
    g = np.random.default_rng(seed)
    templates = g.normal(0, 1, (CLASSES, 1, SIDE, SIDE)).astype(np.float32)
    out = []
    for _ in range(clients):
        y = g.integers(0, CLASSES, images)
        x = 0.35 * templates[y] + g.normal(0, 1, (images, 1, SIDE, SIDE)).astype(np.float32)
        out.append((torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.int64))))
    return out


def bare_loop(
    workload: Workload, rounds: int, on_round: OnRound, data: Data, *, channels_last: bool = False
) -> list[Tensor]:
    """FedAvg and nothing else; the shared weights. channels_last: the same loop in that memory layout."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = SmallCNN().to(memory_format=layout)  # type: ignore[call-overload]
    params = list(model.parameters())
    shared = [p.detach().clone() for p in params]
    optimizer = torch.optim.SGD(params, lr=LR)
    for _ in range(rounds):
        sums, total = [torch.zeros_like(p) for p in params], 0
        for c in rng.choice(workload.clients, workload.per_round, replace=False):
            x, y = data[c]
            with torch.no_grad():
                for p, w in zip(params, shared, strict=True):
                    p.copy_(w)
            for index in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                F.cross_entropy(model(x[index].contiguous(memory_format=layout)), y[index]).backward()
                optimizer.step()
            with torch.no_grad():
                for s, p in zip(sums, params, strict=True):
                    s.add_(p, alpha=float(len(x)))
            total += len(x)
        for w, s in zip(shared, sums, strict=True):
            w.copy_(s / total)
        on_round()
    return shared


def measure(run: Callable[[int, OnRound], object], rounds: int, skip: int = 2) -> float:
    """Median seconds per round of `run(rounds, on_round)`, the first rounds left out."""
    stamps = [time.perf_counter()]
    run(rounds, lambda: stamps.append(time.perf_counter()))
    return median(b - a for a, b in zip(stamps[skip:], stamps[skip + 1 :], strict=False))


if __name__ == "__main__":
    torch.set_num_threads(1)
    name = sys.argv[1] if len(sys.argv) > 1 else "A"
    chosen = WORKLOADS[name]
    images = make_data(chosen.clients, chosen.images)
    seconds = measure(lambda n, tick: bare_loop(chosen, n, tick, images), int(sys.argv[2]) if len(sys.argv) > 2 else 12)
    print(f"{name}: bare loop {seconds:.4f} s per round")
