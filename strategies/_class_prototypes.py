"""Class prototypes of clients that annotate different findings, and of all together, as in FedMLP (Sun et al., MICCAI
2024, arXiv 2406.18995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fedmed.method import Payload, Report

KNOWN = ("prototypes", "valid", "tau", "prevalence")
"""What is known of every class."""


def prototypes(features: Tensor, y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean features (2C, D) per class and label, row 2c + label, zero where there is none; how many each has (2C,).

    features: (N, D). y, seen: (N, C).
    """
    member = torch.stack([seen & (y == 0), seen & (y > 0)], 2).flatten(1)  # (N, 2C)
    counts = member.sum(0)
    return member.to(features.dtype).T @ features / counts.clamp(min=1)[:, None], counts


def updated(known: Mapping[str, Tensor], sent: Sequence[Report], *, least: int, step: float) -> Payload:
    """`KNOWN` after a round's reports: prototypes (2C, D), which are valid (2C,), tau (C,), share of positives (C,).

    known: before the round, empty at first. least: labels behind a prototype that counts. step: how far prototypes
    move. What no report tells stays as it was.
    """
    rows, counts, missing, degree = (
        torch.stack([r.payload[name] for r in sent]) for name in ("prototypes", "counts", "missing", "learning_degree")
    )
    n = degree.new_tensor([r.examples for r in sent])[:, None]
    # G[2c+b] = sum n_k P_k[2c+b] / sum n_k over the clients that have it; tau[c] likewise over those that miss c
    enough = counts >= least
    fresh, told = _mean(n * enough, rows), enough.any(0)
    old = known.get("prototypes", torch.zeros_like(fresh))
    valid = known.get("valid", torch.zeros_like(told))
    moving = torch.where(valid, step, 1.0)[:, None]
    moved = (1 - moving) * old + moving * fresh
    tau = known.get("tau", torch.ones_like(degree[0]))
    labels = counts.sum(0).view(-1, 2).to(degree.dtype)  # (C, 2)
    total, before = labels.sum(1), known.get("prevalence", torch.zeros_like(tau))
    return {
        "prototypes": torch.where(told[:, None], moved, old),
        "valid": valid | told,
        "tau": torch.where(missing.any(0), _mean(n * missing, degree[..., None])[:, 0], tau),
        "prevalence": torch.where(total > 0, labels[:, 1] / total.clamp(min=1), before),
    }


def _mean(weight: Tensor, values: Tensor) -> Tensor:
    """Mean over K clients (M, D) float32 or as given, 0 where no weight is; weight: (K, M), values: (K, M, D)."""
    total = (weight[..., None] * values).sum(0) / weight.sum(0).clamp(min=1)[:, None]
    return total.to(values.dtype)
