"""How complete masks are, and when a learning curve says that a net begins to fit what they leave out.

The arithmetic of FedIA (Xiang et al., MICCAI 2024, arXiv 2407.02280); the slope of a saturating curve as the sign of
memorised errors is ADELE's (Liu et al., CVPR 2022, arXiv 2110.03740).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EPS = 1e-4
"""What is added to the denominator of a Dice value."""


def foreground(logits: Tensor) -> Tensor:
    """Foreground probability (B, H, W) from logits (B, 2, H, W): channel 1 of their softmax."""
    return (logits[:, 1] - logits[:, 0]).sigmoid()


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
    """1 - mean soft Dice over the images, (), and whether any image counts.

    p: probabilities, y: masks in {0, 1}, both (B, H, W). seen: broadcastable to y, what is annotated; None: all.
    skip_empty: whether images without foreground count nowhere.
    """
    if seen is not None:
        p, y = p * seen, y * seen
    losses = 1 - image_dice(p, y, smooth)
    if not skip_empty:
        return losses.mean(), True
    shown = y.flatten(1).any(1)
    return (losses * shown).sum() / shown.sum().clamp(min=1), bool(shown.any())


def components(masks: Tensor, connectivity: int = 4, min_size: int = 1, *, volume: bool = False) -> Tensor:
    """Connected components that begin in each image, (N,) int64.

    masks: (N, H, W) bool. connectivity: 4 or 8 neighbours. min_size: pixels without which a component does not count.
    volume: whether the same pixel of neighbouring images is a neighbour too.
    """
    from scipy.ndimage import generate_binary_structure, label

    structure = np.zeros((3, 3, 3), bool)
    structure[1] = generate_binary_structure(2, 1 if connectivity == 4 else 2)
    structure[:, 1, 1] |= volume
    found = np.zeros(masks.shape, np.int64)
    label(masks.cpu().numpy(), structure, output=found)
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


def shares(completed: Tensor, losses: Tensor, temperature: float = 1.0) -> Tensor:
    """Shares of the clients (K,), summing to 1, from their completeness and mean Dice loss (K,)."""
    # w_k = exp(a_k / L_k) / sum_j exp(a_j / L_j)
    return (completed / losses.clamp(min=1e-6) / temperature).softmax(0)


def hidden(p: Tensor, y: Tensor, threshold: float) -> Tensor:
    """Which background pixels are surely foreground, bool; p: probabilities, y: masks, all (B, H, W)."""
    # y_new = 1 where f(x)[1] > tau_c and y = 0 and argmax f(x) = 1, else y
    return (p > max(threshold, 0.5)) & (y == 0)


@dataclass(slots=True)
class OmissionSearch:
    """The search for what a client's masks leave out.

    open: images not yet looked at (N,) bool. found: numbers of pixels, counted over all masks as one row, by part.
    """

    open: Tensor
    found: list[Tensor] = field(default_factory=list)

    def look(self, index: Tensor, p: Tensor, y: Tensor, seen: Tensor | None, threshold: float) -> None:
        """Notes the background pixels that are taken for foreground, of images (B,) not yet looked at.

        index: rows of the images. p, y, seen: as for `hidden`, and what is annotated (None: all).
        """
        found = hidden(p, y, threshold) & self.open[index, None, None].to(p.device)
        image, pixel = (found if seen is None else found & seen).flatten(1).nonzero().cpu().unbind(1)
        self.found.append(index.cpu()[image] * found[0].numel() + pixel)
        self.open[index] = False

    def pixels(self, count: int) -> Tensor:
        """Numbers of all pixels found, of `count` there are; int32 where these suffice."""
        return torch.cat(self.found).to(torch.int32 if count <= 2**31 else torch.int64)


def pixel_scores(given: Tensor, drawn: Tensor, true: Tensor) -> dict[str, float]:
    """What masks and corrections are worth per pixel: precision and recall, as far as they are defined.

    given: the annotator's masks, drawn: those in force, true: the truth, all bool of one shape.
    """
    added, missed = drawn & ~given, true & ~given
    right = {"added.precision": (added, added), "added.recall": (added, missed)}
    right |= {"mask.precision": (drawn, drawn), "mask.recall": (drawn, true)}
    return {n: float((of & true).sum() / whole.sum()) for n, (of, whole) in right.items() if whole.any()}


def shortfall(curve: Tensor, first: int) -> float | None:
    """How far the last IoU is below the least-squares line through those up to round `first`; None without a line.

    curve: (round, IoU) of every round that the client took part in, (n, 2).
    """
    x, y = curve[curve[:, 0] <= first].unbind(1)
    if len(x) < 2:
        return None
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    # A_k t + B_k - IoU_k^t
    return float(slope * (curve[-1, 0] - x.mean()) + y.mean() - curve[-1, 1])


def remaining_slope(curve: Tensor) -> float | None:
    """Slope of the saturating curve through (round, IoU) pairs (n, 2) in the last round, relative to round 1.

    None for fewer than four points, and, with a warning, where no curve was found.
    """
    fit = saturation(*curve.unbind(1)) if len(curve) >= 4 else None
    return None if fit is None else slope_left(float(curve[-1, 0]), *fit[1:])


def saturation(u: Tensor, y: Tensor) -> tuple[float, float, float] | None:
    """a, b, c of the curve a (1 - exp(-u^b / c)), 0 < a, b <= 1, c > 0, nearest to points (n,); None if none is found.

    u: round, from 1.
    """
    from scipy.optimize import curve_fit

    bounds = ((1e-9, 1e-9, 1e-9), (1, 1, np.inf))
    try:
        found, _ = curve_fit(_curve, u.numpy(), y.numpy(), p0=(1, 1, 1), bounds=bounds)
    except (RuntimeError, ValueError) as error:
        warnings.warn(f"no saturating curve fits a client's learning curve: {error}", stacklevel=2)
        return None
    a, b, c = found.tolist()
    return a, b, c


def slope_left(u: float, b: float, c: float) -> float:
    """The slope of a (1 - exp(-u^b / c)) at u relative to that at 1."""
    # g'(u) = (a b / c) u^(b-1) exp(-u^b / c)
    return float(u ** (b - 1) * np.exp((1 - u**b) / c))


def _curve(u: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    return a * (1 - np.exp(-(u**b) / c))
