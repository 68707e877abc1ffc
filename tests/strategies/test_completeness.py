import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.incomplete_masks import drop_objects, objects
from fedmed.rng import generator
from fedmed.strategies._completeness import (
    Estimator,
    by_class,
    class_probabilities,
    components,
    estimate,
    image_dice,
    likeliest,
    mean_dice_loss,
    shares,
)


def mask(*pixels: tuple[int, int], side: int = 5) -> Tensor:
    drawn = torch.zeros(side, side, dtype=torch.bool)
    for row, column in pixels:
        drawn[row, column] = True
    return drawn


GIVEN = torch.stack([mask((1, 1), (3, 3)), mask((1, 1))])
PREDICTED = torch.stack([mask((1, 1), (3, 3), (1, 3)), mask((1, 1), (3, 3))])


def test_dice_of_one_image() -> None:
    """I1."""
    p, y = torch.tensor([[[0.9, 0.2], [0.1, 0.8]]]), torch.tensor([[[1.0, 0], [0, 1]]])
    assert image_dice(p, y).item() == pytest.approx(0.8499788, abs=1e-6)


def test_dice_of_an_empty_mask_is_zero_unless_smoothed() -> None:
    p, y = torch.full((1, 2, 2), 0.25), torch.zeros(1, 2, 2)
    assert image_dice(p, y).item() == 0
    assert image_dice(p, y, smooth=1.0).item() == pytest.approx(0.5, abs=1e-4)


def test_dice_as_the_released_metric_scores_a_batch() -> None:
    """I1: a perfect prediction of one pixel beside empty on empty."""
    p = torch.stack([mask((0, 0), side=2), mask(side=2)]).float()
    assert image_dice(p, p).mean().item() == pytest.approx(0.499975, abs=1e-6)


def test_class_probabilities_are_the_softmax_s_foreground() -> None:
    for classes in (2, 4):
        logits = torch.randn(2, classes, 3, 3, generator=generator(0, "logits"))
        assert torch.allclose(class_probabilities(logits), logits.softmax(1)[:, 1:], atol=1e-6)


def test_the_likeliest_class_is_the_logits_largest() -> None:
    for classes in (2, 4):
        logits = torch.randn(3, classes, 5, 5, generator=generator(0, "logits"))
        p, kind = likeliest(class_probabilities(logits))
        assert torch.equal(kind, logits.argmax(1))
        assert torch.allclose(p, logits.softmax(1)[:, 1:].amax(1), atol=1e-6)


def test_the_loss_of_several_classes_is_the_mean_over_those_in_an_image() -> None:
    """Image 0 has classes 1 and 2, image 1 has class 2 only."""
    y = torch.tensor([[[1, 2], [0, 2]], [[0, 2], [0, 0]]])
    p = torch.rand(2, 2, 2, 2, generator=generator(0, "p"))
    drawn = by_class(y, 2).float()
    dice = torch.stack([image_dice(p[:, c], drawn[:, c]) for c in (0, 1)], 1)  # (images, classes)
    loss, counts = mean_dice_loss(p, drawn, None, smooth=0.0, skip_empty=True)
    assert loss.item() == pytest.approx(1 - (dice.sum() - dice[1, 0]).item() / 3)
    assert counts
    kept, _ = mean_dice_loss(p, drawn, None, smooth=0.0, skip_empty=False)
    assert kept.item() == pytest.approx(1 - dice.mean().item())


def test_lesions_of_several_classes_count_class_by_class_or_as_one_kind() -> None:
    """Two neighbours of different classes: two lesions, or one."""
    y = torch.tensor([[[1, 2, 0], [0, 0, 0], [2, 0, 0]]])
    for classes, given in ((2, [1, 2]), (1, [2])):
        estimator = Estimator("image", 4, 1, 0.05, classes)
        counts, found = estimator.counts(y.flip(2), y, None)
        assert counts.tolist() == given
        assert found.tolist() == given
    assert [of.tolist() for of in Estimator("batch", 4, 1, 0.05, 2).counts(y, y, None)] == [[3], [3]]


@pytest.mark.parametrize(("pooled", "expected"), [(True, 0.6), (False, 0.583333)])
def test_completeness_from_components(pooled: bool, expected: float) -> None:
    """I2: ratio of sums, and mean of ratios."""
    counts = [components(masks) for masks in (GIVEN, PREDICTED)]
    assert estimate(*counts, pooled=pooled) == pytest.approx(expected, abs=1e-6)


def test_completeness_of_a_batch_labelled_as_a_volume() -> None:
    """I2: 2 / 3."""
    given, predicted = (components(masks, volume=True).sum() for masks in (GIVEN, PREDICTED))
    assert (int(given), int(predicted)) == (2, 3)


def test_connectivity() -> None:
    """I2: three pixels on a diagonal."""
    diagonal = torch.eye(3, dtype=torch.bool)[None]
    assert components(diagonal, 4).tolist() == [3]
    assert components(diagonal, 8).tolist() == [1]


def test_equal_masks_are_complete_and_nothing_predicted_is_no_evidence() -> None:
    """I2."""
    counts = components(GIVEN)
    assert estimate(counts, counts, pooled=True) == 1
    assert estimate(counts, torch.zeros_like(counts), pooled=True) is None
    assert estimate(counts, torch.tensor([0, 2]), pooled=False) == 0.5
    assert estimate(torch.zeros_like(counts), counts, pooled=True) == 0


def test_components_per_image_and_without_specks() -> None:
    masks = torch.stack([mask((0, 0), (0, 1), (4, 4)), mask(), mask((2, 2))])
    assert components(masks).tolist() == [2, 0, 1]
    assert components(masks, min_size=2).tolist() == [1, 0, 0]


def test_components_are_the_annotation_s_objects() -> None:
    drawn = torch.rand(6, 16, 16, generator=generator(0, "masks")) > 0.6
    for connectivity in (4, 8):
        assert components(drawn, connectivity).tolist() == [objects(m.numpy() * 1, connectivity)[1] for m in drawn]


def test_shares() -> None:
    """I3."""
    found = shares(torch.tensor([0.4, 0.6, 0.8, 1.0]), torch.tensor([0.30, 0.25, 0.20, 0.15]))
    assert found.tolist() == pytest.approx([0.004436, 0.012890, 0.063844, 0.918831], abs=1e-4)
    found = shares(torch.tensor([0.25, 0.5, 0.75, 1.0]), torch.full((4,), 0.2))
    assert found.tolist() == pytest.approx([0.016894, 0.058965, 0.205807, 0.718332], abs=1e-4)


def test_shares_are_finite_and_follow_completeness_and_loss() -> None:
    """I3."""
    losses = torch.tensor([1e-6, 0.0, 0.2], dtype=torch.float64)
    assert shares(torch.ones(3, dtype=torch.float64), losses).isfinite().all()
    base = shares(torch.tensor([0.5, 0.5]), torch.tensor([0.2, 0.2]))[0]
    assert shares(torch.tensor([0.6, 0.5]), torch.tensor([0.2, 0.2]))[0] > base
    assert shares(torch.tensor([0.5, 0.5]), torch.tensor([0.1, 0.2]))[0] > base


def test_equal_clients_have_equal_shares_at_a_high_temperature() -> None:
    found = shares(torch.tensor([0.25, 1.0]), torch.tensor([0.3, 0.1]), temperature=1e9)
    assert found.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_the_indicator_of_a_perfect_predictor_is_the_realised_completeness() -> None:
    """I8: four lesions, half of them kept, the same ones for the same seed."""
    true = np.zeros((9, 9), np.uint8)
    true[1::4, 1::4] = 1
    true = true[:8, :8]
    drawn = [drop_objects(true, 0.5, True, 4, np.random.default_rng(0)) for _ in range(2)]
    assert (drawn[0].given, drawn[0].true) == (2, 4)
    assert (drawn[0].mask == drawn[1].mask).all()
    assert (drawn[0].mask <= true).all()
    assert (drop_objects(true, 1.0, True, 4, np.random.default_rng(0)).mask == true).all()
    counts = (components(torch.from_numpy(m)[None] > 0) for m in (drawn[0].mask, true))
    assert estimate(*counts, pooled=True) == drawn[0].given / drawn[0].true
