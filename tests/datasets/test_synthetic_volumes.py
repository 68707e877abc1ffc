from dataclasses import replace

import pytest
import torch
from scipy.ndimage import label

from fedmed.datasets.synthetic_volumes import SyntheticVolumes
from fedmed.errors import UserError

SMALL = SyntheticVolumes(images=20, test_images=10, side=24)


def test_the_table():
    table = SMALL.load()
    assert (table.task, table.classes, table.class_names) == ("segmentation", 2, ("background", "lesion"))
    assert table.examples.x.shape == (30, 1, 24, 24, 24)
    assert table.examples.y.shape == (30, 24, 24, 24)
    assert table.examples.x.dtype == table.examples.y.dtype == torch.uint8
    assert table.spacing is None


def test_every_volume_has_lesions_and_they_are_brighter():
    table = SMALL.load()
    x, y = table.examples.x[:, 0].float(), table.examples.y
    assert all(1 <= label(mask)[1] <= 3 for mask in y.numpy())
    assert x[y == 1].mean() - x[y == 0].mean() > 50


def test_same_options_same_bits_and_every_option_matters():
    x = SMALL.load().examples.x
    assert torch.equal(x, SMALL.load().examples.x)
    for change in ({"seed": 1}, {"contrast": 0.9}, {"noise": 0.2}, {"lesions": 5}):
        assert not torch.equal(x, replace(SMALL, **change).load().examples.x)


def test_more_volumes_change_none_of_the_first():
    few, many = (replace(SMALL, images=n, sites=2).load() for n in (20, 60))
    assert torch.equal(few.examples.x[:9], many.examples.x[:9])


def test_forms_are_told_apart_by_how_far_lesions_reach_along_the_first_axis():
    table = replace(SMALL, task="multiclass", lesions=1, noise=0.0, images=60).load()
    assert table.class_names == ("ball", "disc", "rod")
    lesion = (
        table.examples.x[:, 0].float() > table.examples.x[:, 0].flatten(1).median(1).values[:, None, None, None] + 40
    )
    reach = torch.stack([lesion.flatten(2).any(2).sum(1), lesion.any(1).any(1).sum(1)], 1).float()  # (N, 2)
    ratio = [float((reach[table.examples.y == c, 0] / reach[table.examples.y == c, 1]).median()) for c in range(3)]
    assert ratio[1] < 0.6 < ratio[0] < 1.5 < ratio[2]


def test_the_spacing_is_that_of_all_volumes():
    assert replace(SMALL, spacing=(3.0, 1.0, 1.0)).load().spacing.tolist() == [[3.0, 1.0, 1.0]] * 30
    for wrong in ((1.0, 1.0), (0.0, 1.0, 1.0)):
        with pytest.raises(UserError, match="3 distances above 0"):
            replace(SMALL, spacing=wrong)
