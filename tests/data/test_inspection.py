from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmed.data.examples import Examples
from fedmed.data.inspection import inspect
from tests.data.tables import table

SPLIT = np.array([0] * 8 + [1] * 2 + [2] * 2, np.int8)


@pytest.fixture
def given():
    return table(
        12, classes=3, site=np.arange(12) // 6, split=SPLIT, class_names=("a", "b", "c"), site_names=("U", "B")
    )


def test_it_counts_by_site_split_and_class(given):
    found = inspect(given)
    assert [site.splits.tolist() for site in found.sites] == [[6, 0, 0], [2, 2, 2]]
    assert [site.classes.tolist() for site in found.sites] == [[2, 2, 2], [2, 2, 2]]
    assert (found.repeated, found.across, found.patients) == (0, (), 0)
    lines = found.lines()
    assert lines[0].startswith("12 images (C x H x W) 1 x 8 x 8, uint8 from 0 to")
    assert lines[2].split() == ["site", "train", "val", "test", "a", "b", "c", "unlabelled"]
    assert lines[4].split() == ["B", "2", "2", "2", "2", "2", "2", "0"]


def test_equal_images_and_patients_in_several_splits_are_found(given):
    given.examples.x[9], given.examples.x[1] = given.examples.x[3], given.examples.x[0]
    found = inspect(replace(given, patient=np.array([0, 1] * 6)))
    assert (found.repeated, found.across, found.patients) == (4, ((3, 9),), 2)
    assert "the first are images 3 and 9" in "\n".join(found.lines())


def test_images_without_annotation_are_counted_apart(given):
    seen = torch.ones(12, 4, dtype=torch.bool)
    seen[2] = False
    many = table(12, task="multilabel", split=SPLIT)
    found = inspect(replace(many, examples=Examples(many.examples.x, many.examples.y, seen)))
    assert found.sites[0].unlabelled == 1
    assert (found.sites[0].name, found.classes[3]) == ("all", "class 3")


def test_volumes_are_said_to_be_volumes(given):
    volumes = torch.zeros(12, 1, 4, 8, 8, dtype=torch.uint8)
    found = inspect(replace(given, examples=replace(given.examples, x=volumes)))
    assert found.lines()[0] == "12 volumes (C x D x H x W) 1 x 4 x 8 x 8, uint8 from 0 to 0"
