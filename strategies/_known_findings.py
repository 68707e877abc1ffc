"""How well clients rank the findings that they annotate, and whether that has stopped rising."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.method import Client
from fedmed.metrics.ranking import auc, curve


def annotated(examples: Examples) -> Tensor:
    """Which entries are annotated, (N, C) bool."""
    if examples.seen is None:
        return torch.ones_like(examples.y, dtype=torch.bool)
    return examples.seen.expand_as(examples.y)


def ranked_pairs(client: Client) -> Tensor:
    """Of each finding the pairs of a positive and a negative image that the received model ranks rightly, and all.

    (2, C) float64, on images to judge by, or on training images where the client has none.
    """
    images = client.own_val if len(client.own_val) else client.given
    _, logits = client.collect(client.received, images.x)
    counts = curve(logits, images.y > 0, annotated(images))
    pairs = (counts.positives * counts.negatives).double()
    # whole halves add up exactly, in whatever order clients come
    right = (auc(counts).nan_to_num() * pairs * 2).round() / 2
    return torch.stack([right, pairs])


def mean_auc(pairs: Mapping[str, Tensor]) -> float:
    """Mean AUC of the findings that any client has pairs of, each client's as last told; .5 without any."""
    right, total = torch.stack(list(pairs.values())).sum(0).unbind()
    return float((right / total)[total > 0].mean()) if total.any() else 0.5
