"""Tags: labels for entries that nobody annotated, by class prototypes, as in FedMLP (Sun et al., MICCAI 2024, arXiv
2406.18995); balance by prevalence and a wanted coverage are ours.

A client's tags are (N, C) int8: 1 present, 0 absent, -1 none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fedmed.strategies._directions import unit

EXACT = 1e-9
"""Without it floating point loses a tag: .01 * .7 * 1000 = 6.999..."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many labels a client tags in a round.

    shares, least: of the candidates nearer to absent and to present. coverage: share of the missing entries that are
    tagged in the end, in place of both. balance: whether candidates or prevalence tell how many of each side.
    """

    shares: tuple[float, float]
    least: tuple[int, int]
    coverage: float | None
    balance: Literal["candidates", "prevalence"]

    def counts(
        self, tag: Tensor, candidates: Tensor, missing: Tensor, *, rate: Tensor, prevalence: Tensor, elapsed: float
    ) -> Tensor:
        """How many are tagged absent and present of each class (2, C), should there be as many.

        tag: so far. candidates: (2, C). missing: entries that are not annotated (C,). rate: multiplies shares, and
        stops all where it is 0 (C,). prevalence: (C,). elapsed: share of the tagging rounds, this one included.
        """
        if self.coverage is None:
            wanted = rate * rate.new_tensor(self.shares)[:, None] * candidates
            least = candidates.new_tensor(self.least)[:, None] * (rate > 0)
            if self.balance == "candidates":
                return _whole(wanted).maximum(least)
            total = _whole(wanted.sum(0)).maximum(least.sum(0))
        else:
            total = (_whole(self.coverage * elapsed * missing) - (tag >= 0).sum(0)).clamp(min=0) * (rate > 0)
            if self.balance == "candidates":
                return in_proportion(total, candidates[1] / candidates.sum(0).clamp(min=1), tag[:0])
        return in_proportion(total, prevalence, tag)


def in_proportion(total: Tensor, present: Tensor, tag: Tensor) -> Tensor:
    """The totals of each class (C,) as absent and present ones (2, C), so that this share of all tags is present.

    present: share (C,). tag: those that count among all, besides the new ones.
    """
    # P = floor(pi (T + m)) - P_before
    more = _whole(present * (total + (tag >= 0).sum(0))) - (tag == 1).sum(0)
    more = more.clamp(min=0).minimum(total)
    return torch.stack([total - more, more])


def _whole(number: Tensor) -> Tensor:
    return (number + EXACT).floor().long()


def cosine_difference(features: Tensor, rows: Tensor) -> Tensor:
    """Cosine with the prototype of label 0 minus that of label 1, (N, C); 0 for a zero feature vector.

    features: (N, D). rows: prototypes (2C, D).
    """
    cosine = unit(features) @ unit(rows).T
    return cosine[:, 0::2] - cosine[:, 1::2]


def foremost(score: Tensor, among: Tensor, count: Tensor) -> Tensor:
    """Those of each class with the highest scores (N, C), `count` (C,) of them, ties by order; score, among: (N, C)."""
    order = torch.sort(score.masked_fill(~among, -torch.inf), dim=0, descending=True, stable=True).indices
    place = torch.arange(len(score), device=order.device)[:, None].expand_as(order)
    return torch.empty_like(order).scatter_(0, order, place) < count.minimum(among.sum(0))


def worth(tag: Tensor, present: Tensor, seen: Tensor) -> dict[str, float]:
    """Share of right tags, by side too, of found positives and of tagged entries among a class's missing ones; (N,)."""
    tagged, right = tag >= 0, (tag == 1) == present
    hidden = present & ~seen
    out = {"tag_coverage": tagged.sum().item() / (~seen).sum().item()}
    if tagged.any():
        out["tag_precision"] = right[tagged].float().mean().item()
    for side, chosen in (("absent", tag == 0), ("present", tag == 1)):
        if chosen.any():
            out[f"tag_precision_{side}"] = right[chosen].float().mean().item()
    if hidden.any():
        out["tag_recall"] = (tag == 1)[hidden].float().mean().item()
    return out
