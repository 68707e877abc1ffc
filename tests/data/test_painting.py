import math

import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.data.painting import (
    blurred,
    canvas,
    grating,
    paint_table,
    random_waves,
    smooth_field,
    soft,
    spread_points,
    star,
)
from fedmed.rng import generator

SIDE = 64


@pytest.fixture
def rng():
    return generator(0, "test")


def disc(radius, waves=(0,), centre=(0.0, 0.0)):
    return star(SIDE, torch.tensor([centre]), torch.tensor([radius]), torch.tensor([waves], dtype=torch.complex64))[0]


def test_a_star_without_waves_is_a_disc_at_its_place():
    depth = disc(0.5, centre=(0.2, -0.1))
    x, y = canvas(SIDE)
    assert torch.allclose(depth, 0.5 - torch.sqrt((x - 0.2) ** 2 + (y + 0.1) ** 2), atol=1e-5)
    assert (depth >= 0).float().mean().item() == pytest.approx(math.pi * 0.25 / 4, rel=0.03)


def test_waves_bend_the_outline_as_the_formula_says():
    waves = (0.2 + 0.1j, -0.15j)
    x, y = canvas(SIDE)
    angle = torch.atan2(y, x)
    outline = 1 + sum((wave * torch.exp(1j * (k + 2) * angle)).real for k, wave in enumerate(waves))
    assert torch.allclose(disc(0.5, waves), 0.5 * outline - torch.sqrt(x**2 + y**2), atol=1e-5)


def test_soft_edges_are_one_half_on_the_outline():
    assert soft(torch.tensor([-1.0, 0.0, 1.0]), 0.05).tolist() == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_a_smooth_field_is_standardised_and_smooth(rng):
    field = smooth_field(4, SIDE, 5, rng)
    assert torch.allclose(field.mean((1, 2)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(field.std((1, 2)), torch.ones(4), atol=1e-5)
    assert field.diff(dim=2).abs().mean() < 0.2


def test_a_grating_repeats_along_its_direction():
    stripes = grating(SIDE, torch.tensor([4.0]), torch.tensor([0.0]), torch.tensor([0.0]))[0]
    assert torch.allclose(stripes[0], stripes[-1])
    assert torch.allclose(stripes[:, 8:], stripes[:, :-8], atol=1e-4)  # a period is 8 of the 64 pixels


def test_waves_fall_with_the_number_of_lobes(rng):
    sizes = random_waves(4000, 3, 0.3, rng).abs().square().mean(0).sqrt()
    assert (sizes / sizes[0]).tolist() == pytest.approx([1, 2 / 3, 1 / 2], rel=0.05)


def test_points_take_every_rank_once(rng):
    points = spread_points(6, 4, rng)
    assert torch.allclose(points.sort(0).values, ((torch.arange(6) + 0.5) / 6)[:, None].expand(6, 4))


def scribble(n, rng):
    y = torch.randint(5, (n,), generator=rng)
    return torch.rand(n, 4, 4, generator=rng), y


def painted(**options):
    options = {"images": 100, "test_images": 30, "sites": 1, "seed": 0} | options
    names = tuple("abcde")
    return paint_table(scribble, task="multiclass", class_names=names, key="scribble", **options)


def of(table, site, split):
    rows = torch.from_numpy((table.split == split) & (table.site == site))
    return table.examples[rows.nonzero()[:, 0]]


def test_a_tenth_is_for_validation_and_sites_share_evenly():
    table = painted(images=101, sites=3)
    assert [(table.split == part).sum() for part in (TRAIN, VAL, TEST)] == [91, 10, 30]
    assert [len(of(table, site, TRAIN)) for site in range(3)] == [31, 30, 30]
    assert table.site_names == ("site 0", "site 1", "site 2")
    assert table.examples.x.dtype == torch.uint8
    assert table.examples.x.shape == (131, 1, 4, 4)


def test_one_site_is_not_told():
    assert painted().site is None
    assert painted().site_names == ()


def test_more_sites_or_images_change_no_image_of_the_others():
    few, many = painted(sites=2, images=200), painted(sites=4, images=900, test_images=300)
    for site in range(2):
        for split in (TRAIN, VAL, TEST):
            first, second = of(few, site, split), of(many, site, split)
            assert 0 < len(first) < len(second)
            assert torch.equal(first.x, second.x[: len(first)])
            assert torch.equal(first.y, second.y[: len(first)])


def test_streams_of_sites_splits_and_seeds_share_no_image():
    tables = [painted(sites=3, images=300), painted(sites=3, images=300, seed=1)]
    images = torch.cat([table.examples.x for table in tables]).flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_brightness_beyond_the_range_is_clipped_not_wrapped():
    def glare(n, rng):
        return torch.tensor([-0.5, 0.0, 1.0, 1.5]).expand(n, 1, 4), torch.zeros(n, dtype=torch.int64)

    table = paint_table(
        glare, task="multiclass", class_names=("a", "b"), images=1, test_images=1, sites=1, seed=0, key="glare"
    )
    assert table.examples.x[0].flatten().tolist() == [0, 0, 255, 255]


def test_blur_keeps_the_mean_and_has_its_width() -> None:
    point = torch.zeros(1, 2, 31, 31)
    point[..., 15, 15] = 1
    wide = blurred(point, 2.0)
    offsets = torch.arange(-15, 16).float()
    assert torch.allclose(wide.sum((2, 3)), torch.ones(1, 2))
    assert (wide[0, 1].sum(0) * offsets**2).sum().sqrt() == pytest.approx(2.0, rel=0.05)
