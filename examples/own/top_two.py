"""A metric of one's own, which says that more of it is better: how often the right class is among the two likeliest."""

from __future__ import annotations

from torch import Tensor

from fedmed.metrics import higher_is_better


@higher_is_better
def top_two(probabilities: Tensor, y: Tensor, seen: Tensor | None) -> float:
    """Share of images with the right class among the two likeliest; (N, C), (N,) -> 0..1."""
    return float((probabilities.topk(2, dim=1).indices == y[:, None]).any(1).float().mean())
