"""How well outlines and lesions agree, in mm where the spacing of pixels is known; slow, as each mask is measured.

Hausdorff and average symmetric surface distance as MONAI has them. Normalised surface Dice: the share of both surfaces
that is within a tolerance of the other (Nikolov et al. 2018, arXiv 1809.04430), surfaces being the pixels on the edge.
Lesion-wise F1: a lesion is found where any pixel of it is predicted (ISLES, Hernandez Petzsche et al., Scientific Data
9:762, 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ShapeMeasures(NamedTuple):
    """What is measured of two masks, or of many as tensors of one shape.

    hd95: 95th percentile of the Hausdorff distance. surface_distance: average symmetric. Both nan where a mask is
    empty. surface_dice: 0 there. lesion_f1: of connected components, diagonal neighbours included.
    """

    hd95: Any
    surface_distance: Any
    surface_dice: Any
    lesion_f1: Any


def shape_measures(
    predicted: Tensor, y: Tensor, classes: int, *, tolerance: float, spacing: Tensor | None = None
) -> Tensor:
    """The `ShapeMeasures` of every image and class, (B, 4, C); nan for the background and a class that is in neither.

    predicted, y: label maps (B, H, W) or (B, D, H, W). spacing: (B, axes) mm; None: distances are in pixels.
    """
    predicted, y = predicted.cpu(), y.cpu()
    found = torch.full((len(y), len(ShapeMeasures._fields), classes), nan)
    for c in range(1, classes):
        p, t = predicted == c, y == c
        for i in (p | t).flatten(1).any(1).nonzero().flatten().tolist():
            found[i, :, c] = torch.tensor(mask_measures(p[i], t[i], tolerance, None if spacing is None else spacing[i]))
    return found


def mask_measures(predicted: Tensor, true: Tensor, tolerance: float, spacing: Tensor | None) -> ShapeMeasures:
    """What is measured of two masks, of which one at least is not empty. spacing: (axes,) mm, or None for pixels."""
    box = _bounding_box(predicted | true)
    p, t = predicted[box], true[box]
    f1 = _lesion_f1(p.numpy(), t.numpy())
    if not (p.any() and t.any()):
        return ShapeMeasures(nan, nan, 0.0, f1)
    there, back = _distances(p, t, None if spacing is None else spacing.tolist())
    both = torch.cat([there, back])
    hd95 = torch.maximum(there.quantile(0.95), back.quantile(0.95)).item()
    return ShapeMeasures(hd95, both.mean().item(), (both <= tolerance).float().mean().item(), f1)


def _distances(predicted: Tensor, true: Tensor, spacing: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    """From every pixel on the edge of either mask to the nearest on the other's."""
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    # From MONAI's parts: its metrics each find the edges anew, and its own crop takes most of the time of both.
    p, t = get_mask_edges(predicted, true, crop=False)
    there = torch.as_tensor(get_surface_distance(p, t, spacing=spacing))
    return there, torch.as_tensor(get_surface_distance(t, p, spacing=spacing))


def _lesion_f1(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """2 TP / (2 TP + FP + FN): lesions predicted in part, predicted ones of which nothing is true, and missed ones."""
    ours, theirs = _components(predicted), _components(true)
    found = len(np.unique(theirs[predicted & true]))
    made_up = int(ours.max()) - len(np.unique(ours[predicted & true]))
    missed = int(theirs.max()) - found
    return 2 * found / (2 * found + made_up + missed)


def _components(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of every pixel's connected component, from 1; 0 outside."""
    from scipy.ndimage import generate_binary_structure, label

    found = np.zeros(mask.shape, np.int64)
    label(mask, generate_binary_structure(mask.ndim, mask.ndim), output=found)
    return found


def _bounding_box(mask: Tensor) -> tuple[slice, ...]:
    """The slices of a mask along each axis from its first to its last pixel."""
    sides = [mask.flatten(axis + 1) if axis == 0 else mask.movedim(axis, 0).flatten(1) for axis in range(mask.dim())]
    found = [side.any(1).nonzero().flatten() for side in sides]
    return tuple(slice(int(at[0]), int(at[-1]) + 1) for at in found)
