"""Metrics of segmentation: overlap from joint counts of true and predicted classes, distances between surfaces.

Dice and IoU of a class are averaged over the images where the class is in the truth or in the prediction; an image with
it in neither is undefined for it. Distances (pixels) need the class in both, so a mask that is missed, or made up, has
none: `hd95` is of what was found, and says of how many masks; `hd95_penalised` takes the image's diagonal for such a
mask, as the BraTS challenge does (Bakas et al. 2018, arXiv 1811.02629). `dice` and the others are the mean over the
foreground classes (all but class 0) that are defined in some image. Pixels that are not annotated do not count;
for distances they are background. Logits that are not numbers make every metric but the loss undefined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import hypot, nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.metric_direction import FOUND_ONLY
from fedmed.metrics.bootstrap import interval
from fedmed.metrics.breakdown import spread_over_images, thinned
from fedmed.metrics.scores import Groups, Metric, Scores, Tally, check_known, mean
from fedmed.tasks import Task

MAPS = ("predicted", "y", "seen")
"""Names of the label maps of a tally that is carried to another process."""


class SegmentationTally(Tally):
    """Keeps the joint counts of every image; whole label maps only for the user's own metrics."""

    def __init__(self, task: Task, extra: Sequence[Metric], thorough: bool) -> None:
        super().__init__(task)
        self._extra, self._thorough = extra, thorough
        self._counts = [torch.zeros(0, task.classes, task.classes, dtype=torch.int64)]
        self._distances = [torch.zeros(0, 2, task.classes)]
        self._maps: list[tuple[Tensor, Tensor, Tensor]] = []
        self._worth, self._diagonal = 1.0, nan

    def add(self, logits: Tensor, y: Tensor, seen: Tensor | None) -> None:
        self._add_loss(logits, y, seen)
        self._worth = nan if logits.isnan().any() else self._worth
        predicted = logits.argmax(1)  # (B, H, W)
        mask = torch.ones_like(y, dtype=torch.bool) if seen is None else seen.expand_as(y)
        self._counts.append(joint_counts(predicted, y, mask, self.task.classes).cpu())
        self._diagonal = hypot(*y.shape[-2:])
        if self._thorough:
            self._distances.append(surface_distances(predicted * mask, y * mask, self.task.classes))
        if self._extra:
            self._maps.append((predicted.byte().cpu(), y.cpu(), mask.cpu()))

    def packed(self) -> dict[str, Tensor]:
        return super().packed() | {"counts": torch.cat(self._counts), "worth": torch.tensor(self._worth)}

    def carried(self) -> dict[str, Tensor]:
        kept = {"distances": torch.cat(self._distances), "diagonal": torch.tensor(self._diagonal, dtype=torch.float64)}
        maps = zip(MAPS, zip(*self._maps, strict=True), strict=False)
        return self.packed() | kept | {name: torch.cat(parts) for name, parts in maps}

    def merge(self, packed: Mapping[str, Tensor]) -> None:
        super().merge(packed)
        self._counts.append(packed["counts"].clone())
        self._worth *= float(packed["worth"])
        if "diagonal" in packed:
            self._distances.append(packed["distances"].clone())
            self._diagonal = float(packed["diagonal"])
        if MAPS[0] in packed:
            predicted, y, seen = (packed[name].clone() for name in MAPS)
            self._maps.append((predicted, y, seen))

    def scores(self) -> Scores:
        parts, annotated = self._per_image()
        images = {f"{name}_images_per_class": (~part.isnan()).sum(0).tolist() for name, part in parts.items()}
        detail = {"confusion": torch.cat(self._counts).sum(0).tolist()} | images
        averages = {name: part.nanmean(0) for name, part in parts.items()}
        return self._scores(averages, self._own(), detail, int(annotated.sum()), self._rests(parts))

    def _rests(self, parts: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
        """Metric -> classes with a value, of those in the foreground; of distances: masks, of those in either map."""
        classes = {name: int((~part.isnan()).any(0).sum()) for name, part in parts.items()}
        masks = {name: int((~part.isnan()).sum()) for name, part in parts.items()}
        there = (self.task.classes - 1, masks["dice"])
        return {name: (masks[name], there[1]) if name in FOUND_ONLY else (n, there[0]) for name, n in classes.items()}

    def breakdown(self) -> dict[str, Any]:
        dice = self._per_image()[0]["dice"]
        return {"dice_by_image": spread_over_images(dice), "mean_dice_by_image": thinned(_means(dice))}

    def interval(
        self, metric: str, groups: Groups | None = None, *, seed: int, resamples: int = 1000, level: float = 0.95
    ) -> tuple[float, float]:
        parts, annotated = self._per_image()
        check_known(metric, parts)
        patients = annotated.nonzero().squeeze(1) if groups is None else torch.as_tensor(groups)[annotated]
        values = parts[metric]

        def statistic(drawn: Tensor) -> float:
            return mean(values[drawn].nanmean(0))

        return interval(statistic, patients, seed=seed, resamples=resamples, level=level)

    def _per_image(self) -> tuple[dict[str, Tensor], Tensor]:
        """Metric -> value per annotated image and class (M, C), nan where undefined; which images those are, (N,)."""
        counts = torch.cat(self._counts)
        annotated = counts.sum((1, 2)) > 0
        counts = counts[annotated]
        overlap = counts.diagonal(dim1=1, dim2=2).double()  # (M, C)
        sizes = counts.sum(1) + counts.sum(2)
        parts = {"dice": 2 * overlap / sizes, "iou": overlap / (sizes - overlap)}
        if self._thorough:
            distances = torch.cat(self._distances)[annotated].double()
            found = {"hd95": distances[:, 0], "surface_distance": distances[:, 1]}
            missed = (sizes - counts.diagonal(dim1=1, dim2=2) > 0) & distances[:, 0].isnan()
            parts |= found
            parts |= {f"{name}_penalised": part.masked_fill(missed, self._diagonal) for name, part in found.items()}
        background = torch.tensor([nan] + [1.0] * (self.task.classes - 1))
        return {name: part * background * self._worth for name, part in parts.items()}, annotated

    def _own(self) -> dict[str, float]:
        """The metrics of the user; they get the predicted label maps (N, H, W) uint8 in place of probabilities."""
        if not self._maps:
            return dict.fromkeys((metric.__name__ for metric in self._extra), nan)
        predicted, y, seen = (torch.cat(maps) for maps in zip(*self._maps, strict=True))
        mask = None if seen.all() else seen
        return {metric.__name__: float(metric(predicted, y, mask)) * self._worth for metric in self._extra}


def _means(values: Tensor) -> NDArray[np.float64]:
    """Of values per image and class (M, C) the images' means over what is defined, where anything is."""
    means: NDArray[np.float64] = values.nanmean(1).numpy()
    return means[np.isfinite(means)]


def joint_counts(predicted: Tensor, y: Tensor, mask: Tensor, classes: int) -> Tensor:
    """Pixels of every image by true (rows) and predicted class, (B, C, C) int64; all arguments (B, H, W)."""
    image = torch.arange(len(y), device=y.device).view(-1, 1, 1)
    cell = (image * classes + y) * classes + predicted
    return cell[mask].bincount(minlength=len(y) * classes**2).view(len(y), classes, classes)


def surface_distances(predicted: Tensor, y: Tensor, classes: int) -> Tensor:
    """95th percentile Hausdorff and average symmetric surface distance as MONAI has them, (B, 2, C) in pixels.

    predicted, y: label maps (B, H, W). nan for the background and for a class that either map lacks.
    """
    predicted, y = predicted.cpu(), y.cpu()
    found = torch.full((len(y), 2, classes), nan)
    for c in range(1, classes):
        p, t = predicted == c, y == c
        for i in (p.flatten(1).any(1) & t.flatten(1).any(1)).nonzero().flatten().tolist():
            found[i, :, c] = _mask_distances(p[i], t[i])
    return found


def _mask_distances(predicted: Tensor, true: Tensor) -> Tensor:
    """The two distances (2,) between two masks (H, W), neither of which is empty."""
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    # From MONAI's parts: its two metrics each find the edges anew, and its own crop takes most of the time of both.
    box = _bounding_box(predicted | true)
    p, t = get_mask_edges(predicted[box], true[box], crop=False)
    there, back = torch.as_tensor(get_surface_distance(p, t)), torch.as_tensor(get_surface_distance(t, p))
    hd95 = torch.maximum(there.quantile(0.95), back.quantile(0.95))
    return torch.stack([hd95, torch.cat([there, back]).mean()])


def _bounding_box(mask: Tensor) -> tuple[slice, slice]:
    """The rows and columns of a mask (H, W) from its first to its last pixel."""
    rows, columns = (mask.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
