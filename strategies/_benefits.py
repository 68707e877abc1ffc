"""How much clients gain from one another: matrices W, [j, i] being what client i gains from client j.

Chen, Wu, Tang, He, Ong, Liu, Lao, Yu: Free-Rider and Conflict Aware Collaboration Formation for Cross-Silo Federated
Learning. NeurIPS 2024, arXiv 2410.19321.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Client
from fedmed.models.net import Net
from fedmed.strategies._coalitions import (
    BLOCKING_CLIENTS,
    Edges,
    Gains,
    Partition,
    adjusted_rand,
    blocking_set,
    jain,
    labels_of,
    utilities,
)

Models = Mapping[str, Mapping[str, Tensor]]
"""Weights by state-dict name, by client's number as text."""


def transfer(client: Client, models: Mapping[int, dict[str, Tensor]]) -> dict[int, float]:
    """W[j, i] for the client i and every other model j: by how much of itself i's loss falls when the two are averaged.

    models: weights by client; the client's own is the one among them, or what it has received. Judged on `own_val`.
    """
    own = models.get(client.id, client.anchor)
    before = _loss(client, client.frozen(own))
    gains = {}
    for giver, model in models.items():
        if giver != client.id:
            after = _loss(client, client.frozen(halfway(own, model)))
            # W[j, i] = (L_i(w_i) - L_i((w_i + w_j) / 2)) / L_i(w_i)
            gain = (before - after) / before if before else 0.0
            gains[giver] = gain if isfinite(gain) else 0.0
    return gains


def _loss(client: Client, net: Net) -> float:
    """Mean loss over the client's own validation images; 0 where it has none."""
    val, total = client.own_val, 0.0
    for rows, _, logits in client.sweep(net, val.x):
        part = val[torch.arange(len(val))[rows]]
        seen = None if part.seen is None else part.seen.to(logits.device)
        total += float(client.task.loss(logits, part.y.to(logits.device), seen)) * len(part)
    return total / max(len(val), 1)


def packed(models: Mapping[int, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Models by client as one payload: entries w.<client>.<state-dict name>."""
    return {f"w.{client}.{name}": tensor for client, model in models.items() for name, tensor in model.items()}


def unpacked(payload: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Models by client, ascending, of a payload that has some."""
    models: dict[int, dict[str, Tensor]] = {}
    for entry, tensor in payload.items():
        _, client, name = entry.split(".", 2)
        models.setdefault(int(client), {})[name] = tensor
    return dict(sorted(models.items()))


def halfway(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two models; of whole numbers (BatchNorm's counters) the larger."""
    return {
        name: (tensor + other[name]) / 2 if tensor.is_floating_point() else torch.maximum(tensor, other[name])
        for name, tensor in one.items()
    }


def reported(gains: Models, n: int) -> Gains:
    """W of what clients have measured: for each, `giver` (M,) and `gain` (M,); negative gains count as 0."""
    w = np.zeros((n, n))
    for client, found in gains.items():
        w[found["giver"].cpu().numpy(), int(client)] = found["gain"].cpu().numpy().clip(min=0)
    return w


def cosines(models: Models, initial: Mapping[str, Tensor], n: int) -> Gains:
    """W of cosines between what clients have learnt since the start, over the entries of `initial`; 0 for no model."""
    w, clients = np.zeros((n, n)), [int(client) for client in models]
    if not clients:
        return w
    start = _flat(initial, initial)
    learnt = torch.stack([_flat(model, initial) - start for model in models.values()])  # (M, D)
    unit = learnt / learnt.norm(dim=1, keepdim=True).clamp(min=1e-30)
    w[np.ix_(clients, clients)] = (unit @ unit.T).numpy()
    return w


def _flat(model: Mapping[str, Tensor], names: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([model[name].detach().flatten().cpu().double() for name in names])


def file_faults(path: str, n: int) -> Iterator[Fault]:
    """What speaks against a file of gains of n clients."""
    fix = "Write N lines of N numbers >= 0 with commas between them: line j says what each client gains from client j."
    try:
        w = read_file(path)
    except OSError as error:
        yield Fault("strategy.path", "a file of gains", f"{path}: {error.strerror}", fix)
    except ValueError as error:
        yield Fault("strategy.path", "a file of numbers", f"{path}: {error}", fix)
    else:
        if w.shape != (n, n):
            yield Fault("strategy.path", f"{n} lines of {n} numbers", f"{w.shape[0]} of {w.shape[1]}", fix)
        elif not (np.isfinite(w).all() and (w >= 0).all()):
            yield Fault("strategy.path", "numbers >= 0", f"{w.min()} to {w.max()}", fix)


def read_file(path: str) -> Gains:
    """W of a CSV file, a line for every giver. Raises OSError or ValueError where it is none."""
    return np.loadtxt(Path(path), delimiter=",", ndmin=2, encoding="utf-8")


def audit(
    partition: Partition, gains: Gains, rivals: Edges, margins: Gains, truth: NDArray[np.int64]
) -> dict[str, float]:
    """What a partition is worth, by name.

    gains: W with 0 where there is no edge. margins: W minus the threshold. truth: the true group of every client (N,).
    coalitions: how many. free_riders: clients that take from their coalition and give it nothing (0 as it is formed).
    conflicts: pairs of rivals in one coalition (0 too). margin: the least distance of a gain from the threshold.
    jain: evenness of gains. blocking: 1 where a set of clients would gain by leaving, for few clients only.
    rand: adjusted Rand index against the true groups, where these are more than single clients.
    """
    label = labels_of(partition)
    inside = (label[:, None] == label) & ~np.eye(len(label), dtype=bool)
    edges, pairs = (gains > 0) & inside, ~rivals & ~np.eye(len(label), dtype=bool)
    found = {
        "coalitions": float(len(partition)),
        "free_riders": float((edges.any(0) & ~edges.any(1)).sum()),
        "conflicts": float((rivals & inside).sum() / 2),
        "margin": float(np.abs(margins[pairs]).min()) if pairs.any() else 0.0,
        "jain": jain(utilities(partition, gains)),
    }
    if len(label) <= BLOCKING_CLIENTS:
        found["blocking"] = float(blocking_set(partition, gains, rivals) is not None)
    if len(set(truth.tolist())) < len(truth):
        found["rand"] = adjusted_rand(label, truth)
    return found
