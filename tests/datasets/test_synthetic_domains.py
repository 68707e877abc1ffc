from dataclasses import replace

import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.data.styles import STYLES
from fedmed.datasets.synthetic_domains import SyntheticDomains
from tests.datasets.test_synthetic_multiclass import nearest_mean, part

SMALL = SyntheticDomains(images=500, test_images=250)


def test_the_table():
    table = SMALL.load()
    assert (table.task, table.classes, table.site_names) == ("multiclass", 5, STYLES)
    assert table.examples.x.shape == (750, 3, 28, 28)
    assert (table.examples.x.dtype, table.examples.y.dtype) == (torch.uint8, torch.int64)
    for site in range(5):
        assert [len(part(table, split, site)) for split in (TRAIN, VAL, TEST)] == [90, 10, 50]


def test_same_options_same_bits_and_every_option_matters():
    images = SMALL.load().examples.x
    assert torch.equal(images, SMALL.load().examples.x)
    changes = ({"seed": 1}, {"separation": 0.9}, {"jitter": 0.06}, {"noise": 0.06}, {"classes": 6}, {"variants": 1})
    for change in (*changes, {"difficulty": 0.5}):
        assert not torch.equal(images, replace(SMALL, **change).load().examples.x)


def test_sites_have_styles_and_without_difficulty_all_are_plain():
    plain, styled = (replace(SMALL, difficulty=difficulty).load() for difficulty in (0.0, 1.0))
    grey = plain.examples.x.float()
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert torch.equal(part(plain, TRAIN, 0).x, part(styled, TRAIN, 0).x)
    assert torch.equal(plain.examples.y, styled.examples.y)
    for site in range(1, 5):
        assert not torch.equal(part(plain, TRAIN, site).x, part(styled, TRAIN, site).x)


def test_no_texture_comes_in_two_splits():
    plain, styled = (replace(SMALL, difficulty=difficulty).load() for difficulty in (0.0, 1.0))
    train, test = (
        part(styled, split, 1).x[:50].float() - part(plain, split, 1).x[:50].float() for split in (TRAIN, TEST)
    )
    alike = [torch.stack([a.flatten(), b.flatten()]).corrcoef()[0, 1] for a, b in zip(train, test, strict=True)]
    assert torch.stack(alike).mean() < 0.2


def test_a_class_is_several_looks():
    one, several = (replace(SMALL, difficulty=0.0, variants=n, noise=0.0, jitter=0.0) for n in (1, 3))

    def spread(dataset):
        table = dataset.load()
        x = table.examples.x.float().mean((2, 3))[:, 0]
        return torch.stack([x[table.examples.y == c].std() for c in range(5)]).mean()

    assert spread(several) > 1.3 * spread(one)


@pytest.mark.parametrize("difficulty", [0.5, 1.0, 2.0])
def test_difficulty_makes_it_harder(difficulty):
    big = replace(SMALL, images=1000, variants=1)
    assert nearest_mean(replace(big, difficulty=difficulty)) < nearest_mean(replace(big, difficulty=0.0)) - 0.05
