from dataclasses import replace

import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.datasets.synthetic_multiclass import SyntheticMulticlass

SMALL = SyntheticMulticlass(images=600, test_images=300)


def part(table, split, site=None):
    chosen = table.split == split
    if site is not None:
        chosen &= table.site == site
    return table.examples[torch.from_numpy(chosen).nonzero()[:, 0]]


def nearest_mean(dataset):
    """Accuracy of the nearest class mean over test images."""
    table = dataset.load()
    train, test = part(table, TRAIN), part(table, TEST)
    means = torch.stack([train.x[train.y == c].float().mean(0).flatten() for c in range(table.classes)])
    nearest = torch.cdist(test.x.float().flatten(1), means).argmin(1)
    return (nearest == test.y).float().mean().item()


def test_the_table():
    table = SMALL.load()
    assert (table.task, table.classes) == ("multiclass", 6)
    assert table.examples.x.shape == (900, 1, 28, 28)
    assert (table.examples.x.dtype, table.examples.y.dtype) == (torch.uint8, torch.int64)
    assert [(table.split == split).sum() for split in (TRAIN, VAL, TEST)] == [540, 60, 300]
    assert table.class_names == ("0", "1", "2", "3", "4", "5")


def test_same_options_same_bits_and_every_option_matters():
    images = SMALL.load().examples.x
    assert torch.equal(images, SMALL.load().examples.x)
    for change in ({"seed": 1}, {"separation": 0.9}, {"jitter": 0.06}, {"noise": 0.06}, {"classes": 5}):
        assert not torch.equal(images, replace(SMALL, **change).load().examples.x)


def test_the_bits_do_not_depend_on_the_global_generator():
    torch.manual_seed(3)
    first, state = SMALL.load().examples.x, torch.get_rng_state()
    assert torch.equal(state, torch.random.manual_seed(3).get_state())
    torch.manual_seed(4)
    assert torch.equal(first, SMALL.load().examples.x)


def test_adding_a_site_changes_no_other_site():
    two, three = (replace(SMALL, sites=n, images=100 * n, test_images=40 * n).load() for n in (2, 3))
    for site in range(2):
        for split in (TRAIN, VAL, TEST):
            assert torch.equal(part(two, split, site).x, part(three, split, site).x)
            assert torch.equal(part(two, split, site).y, part(three, split, site).y)


def test_no_image_comes_twice():
    images = replace(SMALL, noise=0.0, sites=2).load().examples.x.flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_classes_are_equally_frequent_within_chance():
    y = replace(SMALL, images=3000, side=8).load().examples.y
    expected = len(y) / 6
    deviation = (len(y) * (1 / 6) * (5 / 6)) ** 0.5
    assert ((y.bincount(minlength=6) - expected).abs() < 4 * deviation).all()


@pytest.mark.parametrize("seed", range(3))
def test_classes_can_be_told_apart(seed):
    assert nearest_mean(replace(SMALL, seed=seed)) > 0.45  # chance is 0.17


def test_no_separation_is_chance():
    assert nearest_mean(replace(SMALL, separation=0.0)) == pytest.approx(1 / 6, abs=0.07)


@pytest.mark.parametrize("change", [{"separation": 0.4}, {"jitter": 0.4}, {"noise": 1.0}])
def test_every_knob_makes_it_harder(change):
    assert nearest_mean(replace(SMALL, **change)) < nearest_mean(SMALL) - 0.1
