from dataclasses import replace

import pytest
import torch

from fedmed.data.examples import TEST, TRAIN
from fedmed.datasets import synthetic_segmentation
from fedmed.datasets.synthetic_segmentation import SyntheticSegmentation

SMALL = SyntheticSegmentation(images=100, test_images=40, side=48)
LESIONS = replace(SMALL, lesions=6)


def part(table, split):
    return table.examples[torch.from_numpy(table.split == split).nonzero()[:, 0]]


def atlas_dice(dataset):
    """Mean Dice over organs of the most frequent mask value per pixel among training images."""
    table = dataset.load()
    votes = torch.stack([(part(table, TRAIN).y == c).float().mean(0) for c in range(table.classes)]).argmax(0)
    y = part(table, TEST).y
    dice = []
    for c in range(1, table.classes):
        both = ((y == c) & (votes == c)).sum()
        dice.append(2 * both / ((y == c).sum() + len(y) * (votes == c).sum()))
    return torch.stack(dice).mean().item()


def organ_visibility(dataset):
    """Difference of brightness between the first organ and the background of the body, in deviations."""
    table = dataset.load()
    x, y = table.examples.x[:, 0].float(), table.examples.y
    tissue = (y == 0) & (x > 40)
    return ((x[y == 1].mean() - x[tissue].mean()) / x[tissue].std()).item()


@pytest.mark.parametrize(("dataset", "classes"), [(SMALL, 4), (LESIONS, 2), (replace(SMALL, organs=1), 2)])
def test_the_table(dataset, classes):
    table = dataset.load()
    assert (table.task, table.classes) == ("segmentation", classes)
    assert table.examples.x.shape == (140, 1, 48, 48)
    assert table.examples.y.shape == (140, 48, 48)
    assert table.examples.x.dtype == table.examples.y.dtype == torch.uint8
    assert table.examples.y.unique().tolist() == list(range(classes))
    assert len(table.class_names) == classes


@pytest.mark.parametrize("dataset", [SMALL, LESIONS])
def test_same_options_same_bits_and_every_option_matters(dataset):
    images = dataset.load().examples.x
    assert torch.equal(images, dataset.load().examples.x)
    for change in ({"seed": 1}, {"contrast": 0.9}, {"jitter": 0.9}, {"noise": 0.06}):
        assert not torch.equal(images, replace(dataset, **change).load().examples.x)


@pytest.mark.parametrize("dataset", [SMALL, LESIONS])
def test_adding_a_site_changes_no_other_site(dataset):
    two, three = (replace(dataset, sites=n, images=40 * n, test_images=10 * n).load() for n in (2, 3))
    first = torch.from_numpy(three.site < 2)
    assert torch.equal(two.examples.x, three.examples.x[first])
    assert torch.equal(two.examples.y, three.examples.y[first])


def test_no_image_comes_twice():
    images = replace(SMALL, sites=2, noise=0.0).load().examples.x.flatten(1)
    assert len(images.unique(dim=0)) == len(images)


@pytest.mark.parametrize("dataset", [SMALL, LESIONS])
def test_masks_are_the_union_of_the_painted_shapes(dataset, monkeypatch):
    painted, star = [], synthetic_segmentation.star
    monkeypatch.setattr(synthetic_segmentation, "star", lambda *shape: painted.append(star(*shape)) or painted[-1])
    mask = synthetic_segmentation.SyntheticSegmentation._paint
    _, y = mask(dataset, 20, torch.Generator().manual_seed(0), dataset._atlas())
    body, *shapes = painted
    assert len(shapes) == (dataset.lesions or dataset.organs)
    unions = [torch.zeros_like(y)]  # of the first 0, 1, 2, ... shapes
    for number, depth in enumerate(shapes, start=1):
        value = 1 if dataset.lesions else number
        unions.append(unions[-1].masked_fill((depth >= 0) & (body >= 0), value))
    if not dataset.lesions:
        assert torch.equal(y, unions[-1])
        return
    same = torch.stack([(union == y).flatten(1).all(1) for union in unions])  # (lesions + 1, 20)
    assert same[1:].any(0).all()
    assert same[1].any()
    assert not same[0].any()


@pytest.mark.parametrize("dataset", [SMALL, LESIONS])
def test_the_mask_lies_where_the_image_is_brighter(dataset):
    flat = replace(dataset, noise=0.0, organs=1, contrast=1.0).load().examples
    x, inside = flat.x[:, 0].float(), flat.y == 1
    assert x[inside].mean() > x[(flat.y == 0) & (x > 40)].mean() + 40


def test_images_have_from_one_to_all_lesions():
    scipy_ndimage = pytest.importorskip("scipy.ndimage")
    y = replace(LESIONS, images=200, side=64, lesions=4).load().examples.y.numpy()
    pieces = [scipy_ndimage.label(mask)[1] for mask in y]
    assert min(pieces) == 1
    assert max(pieces) == 4


def test_contrast_is_how_clearly_organs_show():
    values = [organ_visibility(replace(SMALL, contrast=contrast)) for contrast in (0.0, 0.3, 1.0)]
    assert values[0] == pytest.approx(0, abs=0.5)
    assert values[0] + 0.3 < values[1] < values[2] - 1


def test_noise_hides_organs():
    assert organ_visibility(replace(SMALL, noise=0.3)) < organ_visibility(SMALL) - 1


def test_without_jitter_one_anatomy_fits_all_and_with_it_less():
    values = [atlas_dice(replace(SMALL, jitter=jitter)) for jitter in (0.0, 1.0, 3.0)]
    assert values[0] == 1
    assert values[0] > values[1] > values[2] + 0.1
