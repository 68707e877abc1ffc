"""How complete masks are: the loss, estimate and shares of FedIA (Xiang et al., MICCAI 2024, arXiv 2407.02280)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EPS = 1e-4
"""What is added to the denominator of a Dice value."""


def class_probabilities(logits: Tensor) -> Tensor:
    """Probability of each foreground class, (B, K, H, W), from logits (B, 1 + K, H, W): as of the softmax."""
    if logits.shape[1] == 2:
        return (logits[:, 1] - logits[:, 0]).sigmoid()[:, None]
    return logits.softmax(1)[:, 1:]


def likeliest(p: Tensor) -> tuple[Tensor, Tensor]:
    """Probability and number (0: background) of the likeliest class, both (B, H, W), from `class_probabilities`."""
    best, of = p.max(1)
    return best, (of + 1) * (best > (0.5 if p.shape[1] == 1 else 1 - p.sum(1)))


def by_class(y: Tensor, classes: int) -> Tensor:
    """Masks of the foreground classes, (B, K, H, W) bool, from class numbers (B, H, W)."""
    return y[:, None] == torch.arange(1, classes + 1, device=y.device).view(-1, *[1] * (y.dim() - 1))


def image_dice(p: Tensor, y: Tensor, smooth: float = 0.0) -> Tensor:
    """Soft Dice of every image, (B,); 0 for an empty mask unless `smooth`.

    p: probabilities (B, H, W). y: masks in {0, 1} (B, H, W), of p's type. smooth: added above and below.
    """
    # dice_i = 2 sum(p_i y_i) / (sum(p_i) + sum(y_i) + eps)
    overlap, total = (p * y).flatten(1).sum(1), p.flatten(1).sum(1) + y.flatten(1).sum(1)
    return (2 * overlap + smooth) / (total + smooth + EPS)


def mean_dice_loss(
    p: Tensor, y: Tensor, seen: Tensor | None, *, smooth: float, skip_empty: bool
) -> tuple[Tensor, bool]:
    """1 - mean soft Dice over images and classes, (), and whether any of these counts.

    p: probabilities, y: masks in {0, 1}, both (B, K, H, W). seen: broadcastable to (B, H, W), what is annotated; None:
    all. skip_empty: whether classes count only in the images in which they are.
    """
    if seen is not None:
        annotated = seen.expand(len(y), *y.shape[2:])[:, None]  # (B, 1, H, W)
        p, y = p * annotated, y * annotated
    p, y = p.flatten(0, 1), y.flatten(0, 1)
    losses = 1 - image_dice(p, y, smooth)
    if not skip_empty:
        return losses.mean(), True
    shown = y.flatten(1).any(1)
    return (losses * shown).sum() / shown.sum().clamp(min=1), bool(shown.any())


def numbered(masks: NDArray[np.bool_], connectivity: int, *, volume: bool = False) -> NDArray[np.int64]:
    """The number of every pixel's connected component, (N, H, W), counted from 1, 0 outside.

    masks: (N, H, W) or (N, D, H, W) bool. connectivity: 4 or 8 neighbours, which in a volume are 6 or 26. volume:
    whether the same pixel of neighbouring images is a neighbour too.
    """
    from scipy.ndimage import generate_binary_structure, label

    axes = masks.ndim - 1
    structure = np.zeros((3,) * masks.ndim, bool)
    structure[1] = generate_binary_structure(axes, 1 if connectivity == 4 else axes)
    centre: Any = (slice(None), *[1] * axes)
    structure[centre] |= volume
    found = np.zeros(masks.shape, np.int64)
    label(masks, structure, output=found)
    return found


def components(masks: Tensor, connectivity: int = 4, min_size: int = 1, *, volume: bool = False) -> Tensor:
    """Connected components that begin in each image, (N,) int64.

    masks, connectivity, volume: as for `numbered`. min_size: pixels without which a component does not count.
    """
    found = numbered(masks.cpu().numpy(), connectivity, volume=volume)
    sizes = np.bincount(found.ravel())
    owner = np.zeros(len(sizes), np.int64)
    for image in range(len(masks))[::-1]:
        owner[found[image]] = image
    return torch.from_numpy(np.bincount(owner[1:][sizes[1:] >= min_size], minlength=len(masks)))


def estimate(given: Tensor, predicted: Tensor, *, pooled: bool) -> float | None:
    """Components in the masks per component predicted; None when nothing is predicted.

    given, predicted: how many in each image or batch, (N,). pooled: ratio of the sums, or else mean of the ratios over
    those in which something is predicted.
    """
    if not predicted.any():
        return None
    if pooled:
        return float(given.sum() / predicted.sum())
    some = predicted > 0
    return float((given[some] / predicted[some]).mean())


@dataclass(frozen=True, slots=True)
class Estimator:
    """How a client's completeness is told from lesions in its masks and predicted ones.

    kind: image, mean_of_ratios or batch, as in FedIA. connectivity, min_size: as for `components`. lowest: completeness
    is kept between it and 1; None: as it comes. classes: foreground classes whose lesions are counted apart.
    """

    kind: str
    connectivity: int
    min_size: int
    lowest: float | None
    classes: int = 1

    def counts(self, predicted: Tensor, y: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """Lesions in the masks and predicted, per class and image (K * B,), or of the whole batch (1,).

        predicted, y: class numbers (B, H, W). seen: broadcastable to them, what is annotated; None: all.
        """
        given, found = (self._lesions(mask if seen is None else mask * seen) for mask in (y, predicted))
        return (given.sum(0, keepdim=True), found.sum(0, keepdim=True)) if self.kind == "batch" else (given, found)

    def _lesions(self, mask: Tensor) -> Tensor:
        kinds = [mask > 0] if self.classes == 1 else by_class(mask, self.classes).unbind(1)
        volume = self.kind == "batch"
        return torch.cat([components(kind, self.connectivity, self.min_size, volume=volume) for kind in kinds])

    def completeness(self, counts: Sequence[tuple[Tensor, Tensor]], client: int) -> float:
        """Lesions in the masks per lesion predicted, from the `counts` of the client's images or batches."""
        given, predicted = (torch.cat(parts) for parts in zip(*counts, strict=True))
        found = estimate(given, predicted, pooled=self.kind == "image")
        if found is None:
            warnings.warn(f"fedia: no lesion predicted at client {client}: taken as complete", stacklevel=2)
            return 1.0
        return found if self.lowest is None else min(max(found, self.lowest), 1.0)


def shares(completed: Tensor, losses: Tensor, temperature: float = 1.0) -> Tensor:
    """Shares of the clients (K,), summing to 1, from their completeness and mean Dice loss (K,)."""
    # w_k = exp(a_k / L_k) / sum_j exp(a_j / L_j)
    return (completed / losses.clamp(min=1e-6) / temperature).softmax(0)


def pixel_scores(given: Tensor, drawn: Tensor, true: Tensor) -> dict[str, float]:
    """What masks and corrections are worth per pixel: precision and recall, as far as they are defined.

    given: the annotator's masks, drawn: those in force, true: the truth, all bool of one shape.
    """
    added, missed = drawn & ~given, true & ~given
    right = {"added.precision": (added, added), "added.recall": (added, missed)}
    right |= {"mask.precision": (drawn, drawn), "mask.recall": (drawn, true)}
    return {n: float((of & true).sum() / whole.sum()) for n, (of, whole) in right.items() if whole.any()}
