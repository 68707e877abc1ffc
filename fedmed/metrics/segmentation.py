"""Metrics of segmentation: overlap from joint counts of true and predicted classes, outlines and lesions of masks.

Dice, IoU, surface Dice and lesion-wise F1 of a class are averaged over the images where the class is in the truth or in
the prediction; an image with it in neither is undefined for it. Distances (mm, or pixels where the spacing is not
known) need the class in both, so a mask that is missed, or made up, has none: `hd95` is of what was found, and says of
how many masks; `hd95_penalised` takes the image's diagonal for such a mask, as the BraTS challenge does (Bakas et al.
2018, arXiv 1811.02629). `dice` and the others are the mean over the foreground classes (all but class 0) that are
defined in some image. Pixels that are not annotated do not count; for outlines and lesions they are background. Logits
that are not numbers make every metric but the loss undefined.
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
from fedmed.metrics.shapes import ShapeMeasures, shape_measures
from fedmed.tasks import Task

MAPS = ("predicted", "y", "seen")
"""Names of the label maps of a tally that is carried to another process."""


class SegmentationTally(Tally):
    """Keeps the joint counts of every image; whole label maps only for the user's own metrics."""

    def __init__(self, task: Task, extra: Sequence[Metric], thorough: bool) -> None:
        super().__init__(task)
        self._extra, self._thorough = extra, thorough
        self._counts = [torch.zeros(0, task.classes, task.classes, dtype=torch.int64)]
        self._shapes = [torch.zeros(0, len(ShapeMeasures._fields), task.classes)]
        self._diagonals = [torch.zeros(0, dtype=torch.float64)]
        self._maps: list[tuple[Tensor, Tensor, Tensor]] = []
        self._worth = 1.0

    def add(self, logits: Tensor, y: Tensor, seen: Tensor | None, spacing: Tensor | None = None) -> None:
        self._add_loss(logits, y, seen)
        self._worth = nan if logits.isnan().any() else self._worth
        predicted = logits.argmax(1)  # (B, H, W) or (B, D, H, W)
        mask = torch.ones_like(y, dtype=torch.bool) if seen is None else seen.expand_as(y)
        self._counts.append(joint_counts(predicted, y, mask, self.task.classes).cpu())
        if self._thorough:
            self._diagonals.append(_diagonals(y, spacing))
            given = (predicted * mask, y * mask, self.task.classes)
            self._shapes.append(shape_measures(*given, tolerance=self.task.tolerance, spacing=spacing))
        if self._extra:
            self._maps.append((predicted.byte().cpu(), y.cpu(), mask.cpu()))

    def packed(self) -> dict[str, Tensor]:
        return super().packed() | {"counts": torch.cat(self._counts), "worth": torch.tensor(self._worth)}

    def carried(self) -> dict[str, Tensor]:
        kept = {"shapes": torch.cat(self._shapes), "diagonals": torch.cat(self._diagonals)}
        maps = zip(MAPS, zip(*self._maps, strict=True), strict=False)
        return self.packed() | kept | {name: torch.cat(parts) for name, parts in maps}

    def merge(self, packed: Mapping[str, Tensor]) -> None:
        super().merge(packed)
        self._counts.append(packed["counts"].clone())
        self._worth *= float(packed["worth"])
        if "shapes" in packed:
            self._shapes.append(packed["shapes"].clone())
            self._diagonals.append(packed["diagonals"].clone())
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
            shapes = ShapeMeasures(*torch.cat(self._shapes)[annotated].double().unbind(1))
            far = torch.cat(self._diagonals)[annotated][:, None]
            missed = (sizes - counts.diagonal(dim1=1, dim2=2) > 0) & shapes.hd95.isnan()
            found = {"hd95": shapes.hd95, "surface_distance": shapes.surface_distance}
            parts |= found | {f"{name}_penalised": torch.where(missed, far, part) for name, part in found.items()}
            parts |= {"surface_dice": shapes.surface_dice, "lesion_f1": shapes.lesion_f1}
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


def _diagonals(y: Tensor, spacing: Tensor | None) -> Tensor:
    """The longest distance in every image (B,), in mm where the spacing (B, axes) is known, else in pixels."""
    if spacing is None:
        return torch.full((len(y),), hypot(*y.shape[1:]), dtype=torch.float64)
    return (spacing.double().cpu() * torch.tensor(y.shape[1:])).square().sum(1).sqrt()


def joint_counts(predicted: Tensor, y: Tensor, mask: Tensor, classes: int) -> Tensor:
    """Pixels of every image by true (rows) and predicted class, (B, C, C) int64; arguments of one shape (B, ...)."""
    image = torch.arange(len(y), device=y.device).view(-1, *[1] * (y.dim() - 1))
    cell = (image * classes + y) * classes + predicted
    return cell[mask].bincount(minlength=len(y) * classes**2).view(len(y), classes, classes)
