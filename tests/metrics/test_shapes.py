"""Measures of outlines and lesions, against MONAI, scipy, and masks that one can measure by hand."""

from __future__ import annotations

import warnings
from math import isnan, nan, sqrt

import numpy as np
import pytest
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_dice import compute_surface_dice
from monai.metrics.surface_distance import compute_average_surface_distance
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor

from fedmed.metrics import tally
from fedmed.metrics.shapes import ShapeMeasures, mask_measures, shape_measures
from fedmed.tasks import Segmentation


def maps(seed: int, *sides: int, classes: int = 3, images: int = 6) -> tuple[Tensor, Tensor]:
    """Blobs of classes, and the same with a twentieth of their pixels changed."""
    draw = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.avg_pool2d if len(sides) == 2 else torch.nn.functional.avg_pool3d
    fields = smooth(torch.randn(images, classes, *sides, generator=draw), 3, 1, 1)
    y = fields.argmax(1)
    other = torch.randint(classes, y.shape, generator=draw)
    return torch.where(torch.rand(y.shape, generator=draw) < 0.05, other, y), y


def box(shape: tuple[int, ...], *ranges: tuple[int, int]) -> Tensor:
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[tuple(slice(*r) for r in ranges)] = True
    return mask


@pytest.mark.parametrize("sides", [(9, 9), (7, 8, 6)])
@pytest.mark.parametrize("classes", [2, 5])
def test_measures_of_outlines_have_the_bits_of_monai(classes: int, sides: tuple[int, ...]) -> None:
    """Of masks that touch the borders, of a few pixels or of one."""
    predicted, y = maps(classes, *sides, classes=classes, images=8)
    predicted[0], y[0] = 0, 0
    predicted[0].view(-1)[0], y[0].view(-1)[-3:] = 1, 1
    found = ShapeMeasures(*shape_measures(predicted, y, classes, tolerance=1.0).unbind(1))
    for c in range(1, classes):
        masks = [(labels == c)[:, None] for labels in (predicted, y)]
        both = masks[0].flatten(1).any(1) & masks[1].flatten(1).any(1)
        assert both.any()
        pairs = [mask[both] for mask in masks]
        hd95 = compute_hausdorff_distance(*pairs, include_background=True, percentile=95)
        mean_distance = compute_average_surface_distance(*pairs, include_background=True, symmetric=True)
        surface_dice = compute_surface_dice(*pairs, class_thresholds=[1.0], include_background=True)
        assert found.hd95[both, c].equal(hd95[:, 0])
        assert found.surface_distance[both, c].equal(mean_distance[:, 0])
        torch.testing.assert_close(found.surface_dice[both, c], surface_dice[:, 0].float())
        assert found.hd95[~both, c].isnan().all()
    assert all(measure[:, 0].isnan().all() for measure in found)


def test_distances_in_mm_are_those_of_scipy() -> None:
    spacing = torch.tensor([3.0, 1.0, 0.5], dtype=torch.float64)
    predicted, y = (labels[0] == 1 for labels in maps(4, 8, 9, 10))
    predicted = predicted.roll(2, 0)
    found = mask_measures(predicted, y, 1.2, spacing)
    edges = [mask & ~binary_erosion(mask) for mask in (predicted.numpy(), y.numpy())]
    far = [distance_transform_edt(~edge, sampling=spacing.numpy()) for edge in edges]
    there, back = far[1][edges[0]], far[0][edges[1]]
    both = np.concatenate([there, back])
    assert found.hd95 == pytest.approx(max(np.quantile(there, 0.95), np.quantile(back, 0.95)))
    assert found.surface_distance == pytest.approx(both.mean())
    assert found.surface_dice == pytest.approx((both <= 1.2).mean())
    assert found.surface_distance != pytest.approx(mask_measures(predicted, y, 1.2, None).surface_distance)


def test_plates_that_are_two_slices_of_3_mm_apart_are_6_mm_apart() -> None:
    one, other = (box((8, 5, 5), (z, z + 1), (0, 5), (0, 5)) for z in (1, 3))
    spacing = torch.tensor([3.0, 1.0, 1.0])
    assert mask_measures(one, other, 1.0, spacing)[:3] == (6.0, 6.0, 0.0)
    assert mask_measures(one, other, 6.0, spacing).surface_dice == 1.0
    assert mask_measures(one, other, 1.0, None)[:3] == (2.0, 2.0, 0.0)


def test_surface_dice_counts_the_pixels_of_both_edges_within_the_tolerance() -> None:
    """A line of 6 pixels and one of 3 at its beginning: 3 + 3 of 9 pixels agree, with a tolerance of 1 one more."""
    line, part = box((3, 8), (1, 2), (0, 6)), box((3, 8), (1, 2), (0, 3))
    assert mask_measures(part, line, 0.0, None).surface_dice == pytest.approx(6 / 9)
    assert mask_measures(part, line, 1.0, None).surface_dice == pytest.approx(7 / 9)


def test_lesions_are_found_made_up_and_missed() -> None:
    """Three true lesions, one of which is predicted in part and one twice; one predicted lesion is made up."""
    true, predicted = torch.zeros(9, 9, dtype=torch.bool), torch.zeros(9, 9, dtype=torch.bool)
    true[0, 0:2] = true[4, 0:5] = true[8, 8] = True
    predicted[0, 1:4] = predicted[4, 0] = predicted[4, 3] = predicted[0, 8] = True
    # TP 2, FN 1, FP 1: the second prediction of a lesion that is found is neither
    assert mask_measures(predicted, true, 1.0, None).lesion_f1 == pytest.approx(4 / 6)


def test_diagonal_neighbours_are_one_lesion_in_the_plane_and_in_space() -> None:
    for axes in (2, 3):
        true = torch.zeros((4,) * axes, dtype=torch.bool)
        true[(0,) * axes] = true[(1,) * axes] = True
        half = torch.zeros_like(true)
        half[(0,) * axes] = True
        assert mask_measures(half, true, 1.0, None).lesion_f1 == 1.0


def test_a_mask_that_is_missed_or_made_up_has_no_distance_but_a_surface_dice_and_an_f1_of_0() -> None:
    some, none = box((4, 4), (0, 2), (0, 2)), torch.zeros(4, 4, dtype=torch.bool)
    for pair in ((some, none), (none, some)):
        found = mask_measures(*pair, 1.0, None)
        assert isnan(found.hd95)
        assert isnan(found.surface_distance)
        assert found[2:] == (0.0, 0.0)


def test_an_evaluation_of_volumes_measures_in_mm_and_takes_the_diagonal_in_mm_for_a_miss() -> None:
    y = torch.stack([box((8, 5, 5), (z, z + 1), (0, 5), (0, 5)) for z in (1, 3)]).byte()
    predicted = y.flip(0).long()
    predicted[1] = 0
    logits = torch.nn.functional.one_hot(predicted, 2).movedim(-1, 1).float()
    spacing = torch.tensor([[3.0, 1.0, 1.0], [1.0, 2.0, 2.0]], dtype=torch.float64)
    into = tally(Segmentation(classes=2, tolerance=6.0), thorough=True)
    into.add(logits, y, None, spacing)
    found = into.scores()
    assert found.values["hd95"] == 6.0
    assert found.values["hd95_penalised"] == pytest.approx((6 + sqrt(8**2 + 10**2 + 10**2)) / 2)
    assert found.values["surface_dice"] == pytest.approx(0.5)
    assert (found.defined["hd95"], found.of["hd95"]) == (1, 2)
    elsewhere = tally(Segmentation(classes=2, tolerance=6.0), thorough=True)
    elsewhere.merge(into.carried())
    assert elsewhere.scores().values == found.values


def test_a_class_that_is_in_neither_map_is_undefined() -> None:
    empty = torch.zeros(1, 3, 3, dtype=torch.int64)
    assert shape_measures(empty, empty, 2, tolerance=1.0).isnan().all()
    assert nan != shape_measures(empty + 1, empty + 1, 2, tolerance=1.0)[0, 3, 1]


def test_measuring_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shape_measures(torch.eye(4).long()[None], torch.ones(1, 4, 4).long(), 2, tolerance=1.0)
