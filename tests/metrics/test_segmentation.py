from __future__ import annotations

import json
import math
from statistics import mean

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score, jaccard_score
from torch import Tensor

from fedmed.errors import UserError
from fedmed.metrics import Tally, tally
from fedmed.metrics.tallies import SLOW
from fedmed.tasks import Segmentation

ORGANS = Segmentation(classes=4)


def maps(seed: int, *, images: int = 6, classes: int = 4, side: int = 12) -> tuple[Tensor, Tensor]:
    """Random predicted and true label maps (N, H, W)."""
    g = torch.Generator().manual_seed(seed)
    truth = torch.randint(classes, (images, side, side), generator=g)
    wrong = torch.randint(classes, (images, side, side), generator=g)
    return torch.where(torch.rand(truth.shape, generator=g) < 0.6, truth, wrong), truth.byte()


def logits(predicted: Tensor, classes: int = 4) -> Tensor:
    return F.one_hot(predicted, classes).movedim(-1, 1).float() * 5


def filled(predicted: Tensor, y: Tensor, seen: Tensor | None = None, *, size: int = 4, **options: object) -> Tally:
    into = tally(ORGANS, **options)  # type: ignore[arg-type]
    for i in range(0, len(y), size):
        part = slice(i, i + size)
        into.add(logits(predicted[part]), y[part], None if seen is None else seen[part])
    return into


def oracle(score: object, predicted: Tensor, y: Tensor, c: int) -> float:
    """Mean over the images where class c is in the truth or in the prediction, by scikit-learn."""
    pairs = [(t == c, p == c) for t, p in zip(y, predicted, strict=True)]
    return mean(score(t.flatten(), p.flatten()) for t, p in pairs if t.any() or p.any())  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_scikit_learn(seed: int) -> None:
    predicted, y = maps(seed)
    predicted[0][predicted[0] == 2] = 1
    y[0][y[0] == 2] = 0  # in neither: undefined for this image
    y[1][y[1] == 3] = 0  # false alarms only: 0 for this image
    scores = filled(predicted, y).scores()
    for metric, score in (("dice", f1_score), ("iou", jaccard_score)):
        expected = [oracle(score, predicted, y, c) for c in range(1, 4)]
        assert scores.detail[f"{metric}_per_class"][0] is None
        assert scores.detail[f"{metric}_per_class"][1:] == pytest.approx(expected, abs=1e-9)
        assert scores.values[metric] == pytest.approx(mean(expected), abs=1e-9)
        assert scores.defined[metric] == 3
        assert scores.detail[f"{metric}_images_per_class"] == [0, 6, 5, 6]
    assert scores.examples == 6


def test_a_class_in_no_image_is_left_out() -> None:
    predicted, y = maps(0)
    predicted[predicted == 3], y[y == 3] = 0, 0
    scores = filled(predicted, y).scores()
    assert scores.defined["dice"] == 2
    assert scores.detail["dice_per_class"][3] is None
    assert scores.values["dice"] == pytest.approx(mean(scores.detail["dice_per_class"][1:3]))


def test_empty_masks_without_false_alarms_are_undefined_not_zero() -> None:
    nothing = torch.zeros(2, 8, 8, dtype=torch.int64)
    scores = filled(nothing, nothing.byte(), thorough=True).scores()
    assert set(scores.undefined) == {"dice", "iou", *SLOW}
    assert list(scores.values) == ["loss"]
    assert (scores.defined["hd95"], scores.of["hd95"]) == (0, 0)


def test_a_net_that_misses_nearly_everything_says_so_and_is_penalised() -> None:
    """One of five masks found, exactly; one made up."""
    truth, empty = square(4, 4), torch.zeros(1, 24, 24, dtype=torch.int64)
    predicted = torch.cat([truth, *[empty] * 4, truth])
    y = torch.cat([*[truth] * 5, empty]).byte()
    scores = filled(predicted, y, thorough=True).scores()
    diagonal = 24 * math.sqrt(2)
    for metric in ("hd95", "surface_distance"):
        assert scores.values[metric] == 0
        assert (scores.defined[metric], scores.of[metric]) == (1, 6)
        assert scores.values[f"{metric}_penalised"] == pytest.approx(diagonal * 5 / 6)
    assert (scores.defined["dice"], scores.of["dice"]) == (1, 3)
    flat = scores.flat()
    assert (flat["hd95.defined"], flat["hd95.of"]) == (1, 6)
    nothing = filled(torch.cat([empty] * 6), y, thorough=True).scores().flat()
    assert "hd95" not in nothing
    assert (nothing["hd95.defined"], nothing["hd95.of"]) == (0, 5)
    assert nothing["hd95_penalised"] == pytest.approx(diagonal)
    every = filled(y.long(), y, thorough=True).scores().flat()
    assert (every["hd95.defined"], every["hd95.of"], every["hd95_penalised"]) == (5, 5, 0)


def test_the_batch_size_changes_nothing_but_the_dice_term_of_the_loss() -> None:
    predicted, y = maps(1)
    small, whole = (filled(predicted, y, size=size, thorough=True).scores() for size in (1, 6))
    assert small.detail == whole.detail
    assert {**small.values, "loss": 0} == pytest.approx({**whole.values, "loss": 0}, abs=1e-12)


def test_pixels_without_annotation_do_not_count() -> None:
    predicted, y = maps(2)
    seen = torch.ones(6, 12, 12, dtype=torch.bool)
    seen[:, 6:] = False
    seen[5] = False
    half = filled(predicted[:5, :6], y[:5, :6]).scores()
    scores = filled(predicted, torch.where(seen, y, 0), seen).scores()
    assert scores.examples == 5
    assert scores.detail["dice_per_class"] == half.detail["dice_per_class"]
    assert sum(map(sum, scores.detail["confusion"])) == 5 * 6 * 12


def test_annotation_may_be_known_per_image_only() -> None:
    predicted, y = maps(2)
    seen = torch.tensor([True, False, True, True, False, True]).view(-1, 1, 1)
    kept = seen.flatten()
    scores = filled(predicted, y * seen, seen).scores()
    assert scores.detail == filled(predicted[kept], y[kept]).scores().detail
    assert scores.examples == 4


def square(top: int, left: int, side: int = 6) -> Tensor:
    image = torch.zeros(1, 24, 24, dtype=torch.int64)
    image[0, top : top + side, left : left + side] = 1
    return image


def test_distances_are_those_of_shifted_squares() -> None:
    truth = square(4, 4)
    exact, shifted = (filled(square(4, left), truth.byte(), thorough=True).scores().values for left in (4, 9))
    assert (exact["hd95"], exact["surface_distance"]) == (0, 0)
    assert shifted["hd95"] == 5
    assert 0 < shifted["surface_distance"] < 5


def test_distances_need_the_class_on_both_sides_and_are_otherwise_skipped(recwarn: pytest.WarningsRecorder) -> None:
    empty = torch.zeros(1, 24, 24, dtype=torch.int64)
    predicted = torch.cat([square(4, 4), empty, square(4, 4)])
    y = torch.cat([square(4, 6), square(4, 4), empty]).byte()
    scores = filled(predicted, y, thorough=True).scores()
    assert scores.values["hd95"] == 2
    assert not [w for w in recwarn if "may result in nan/inf" in str(w.message)]
    assert scores.detail["hd95_images_per_class"] == [0, 1, 0, 0]
    assert scores.detail["dice_images_per_class"] == [0, 3, 0, 0]
    assert "hd95" not in filled(predicted, y).scores().values


def test_nan_logits_give_a_nan_loss_and_no_other_value() -> None:
    predicted, y = maps(0)
    into = filled(predicted, y, extra=[pixels])
    broken = logits(predicted)
    broken[0, 0, 0, 0] = torch.nan
    into.add(broken, y, None)
    scores = into.scores()
    assert list(scores.values) == ["loss"]
    assert math.isnan(scores.values["loss"])
    assert set(scores.undefined) == {"dice", "iou", "pixels"}


def test_nothing_added_is_all_undefined() -> None:
    scores = tally(ORGANS, extra=[pixels]).scores()
    assert scores.values == {}
    assert set(scores.undefined) == {"loss", "dice", "iou", "pixels"}
    assert all(math.isnan(bound) for bound in tally(ORGANS).interval("dice", seed=0))


def pixels(predicted: Tensor, y: Tensor, seen: Tensor | None) -> float:
    """The share of right pixels."""
    assert predicted.dtype == torch.uint8
    return (predicted == y).float().mean().item()


def test_metrics_of_the_user_get_label_maps() -> None:
    predicted, y = maps(3)
    assert filled(predicted, y, extra=[pixels]).scores().values["pixels"] == pytest.approx(
        (predicted == y).float().mean().item()
    )


def test_an_interval_holds_the_value_and_draws_patients_together() -> None:
    predicted, y = maps(4, images=20)
    into = filled(predicted, y)
    low, high = into.interval("dice", seed=0)
    assert low < into.scores().values["dice"] < high
    one = into.interval("dice", torch.zeros(20, dtype=torch.int64), seed=0, resamples=20)
    assert one == pytest.approx((into.scores().values["dice"],) * 2)
    with pytest.raises(UserError, match="got hd95"):
        into.interval("hd95", seed=0)


def test_values_are_plain_and_details_are_json() -> None:
    scores = filled(*maps(0), thorough=True).scores()
    assert {type(value) for value in scores.values.values()} == {float}
    json.dumps(dict(scores.detail), allow_nan=False)
