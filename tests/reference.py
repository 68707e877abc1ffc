"""FedAvg as a plain loop, which the engine must equal bit for bit.

McMahan et al., AISTATS 2017, arXiv 1602.05629. It shares with fedmed only the keys of random numbers, Examples and Net.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from fedmed import rng
from fedmed.data.examples import Examples
from fedmed.models.net import Net


def fedavg(
    net: Net,
    loss: Callable[[Tensor, Tensor], Tensor],
    clients: Sequence[Examples],
    *,
    rounds: int,
    seed: int,
    lr: float,
    batch_size: int,
    momentum: float = 0.0,
    sampled: int | None = None,
    normalise: Callable[[Tensor], Tensor] = Tensor.float,
    layout: torch.memory_format = torch.contiguous_format,
) -> dict[str, Tensor]:
    """The weights after all rounds; `net` stays as it is."""
    shared = deepcopy(net.state_dict())
    for round in range(1, rounds + 1):
        draw = rng.numpy_generator(seed, "sample", round)
        chosen = sorted(draw.choice(len(clients), sampled or len(clients), replace=False).tolist())
        sums: dict[str, Tensor] = {}
        for k in chosen:
            model = deepcopy(net).train()
            model.load_state_dict(shared)
            optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
            torch.manual_seed(rng.seed_of(seed, "dropout", round, k))
            order = torch.randperm(len(clients[k]), generator=rng.generator(seed, "batches", round, k))
            parts = list(order.split(batch_size))
            if len(parts) > 1 and len(parts[-1]) == 1:
                parts[-2:] = [torch.cat(parts[-2:])]
            for rows in parts:
                optimizer.zero_grad()
                x = normalise(clients[k].x[rows]).contiguous(memory_format=layout)
                loss(model(x), clients[k].y[rows]).backward()
                optimizer.step()
            for name, tensor in model.state_dict().items():
                if tensor.is_floating_point():  # sum_k n_k w_k
                    sums[name] = torch.add(sums.get(name, torch.zeros(())), tensor, alpha=float(len(clients[k])))
                else:
                    sums[name] = torch.maximum(sums.get(name, tensor), tensor)
        total = sum(len(clients[k]) for k in chosen)
        shared = {name: t / total if t.is_floating_point() else t for name, t in sums.items()}
    return shared
