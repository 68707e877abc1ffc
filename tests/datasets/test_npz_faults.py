import numpy as np
import pytest

from fedmed.datasets.npz import Npz
from fedmed.errors import UserError

RNG = np.random.default_rng(0)


def grey(n=6, side=8):
    return RNG.integers(0, 256, (n, side, side), dtype=np.uint8)


def labels(n=6, classes=3):
    return np.arange(n, dtype=np.uint8)[:, None] % classes


def test_the_path_must_be_given():
    with pytest.raises(UserError, match=r"dataset\.path: expected an npz file, got nothing"):
        Npz().load()


def test_unknown_names_are_listed_beside_the_three_layouts(refused):
    message = refused("got pictures, y", pictures=grey(), y=labels())
    assert "train_images" in message
    assert "<site>_images" in message
    refused("got train_images, images", train_images=grey(), images=grey())
    refused("got train_images, ulm_images", train_images=grey(), ulm_images=grey())


def test_columns_without_images_and_mistyped_columns_are_refused_others_ignored(load, refused):
    refused("images beside val_labels", train_images=grey(), train_labels=labels(), val_labels=labels())
    refused("images beside train_splits", train_images=grey(), train_labels=labels(), train_splits=labels())
    refused("site: .*Did you mean sites", images=grey(), labels=labels(), site=labels())
    assert len(load(images=grey(), labels=labels(), comment=np.array("from 2019"))) == 6


def test_a_target_that_is_missing_is_named(refused):
    refused("labels: expected labels beside images, got only images", images=grey())
    refused("masks: expected masks beside images", {"target": "masks"}, images=grey(), labels=labels())
    refused("val_labels", train_images=grey(), train_labels=labels(), val_images=grey())


def test_target_and_task_must_agree(refused):
    refused(
        "masks for dataset.task=segmentation",
        {"task": "segmentation", "target": "labels"},
        images=grey(),
        labels=labels(),
    )
    refused(
        "labels for dataset.task=multiclass", {"task": "multiclass", "target": "masks"}, images=grey(), masks=grey() % 2
    )
    refused("one class per image", {"task": "multiclass"}, images=grey(), labels=1 - np.eye(6))


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.array([0, 1, -1, 0, 1, 2]), "labels: expected whole numbers from 0, got -1"),
        (np.array([0, 1, 0.5, 0, 1, 2]), r"got 0\.5"),
        (np.array([0, 1, np.nan, 0, 1, 2]), "got nan"),
        (np.array(["a", "b", "", "a", "b", "c"]), "a label for every image, got none in 1 rows, first in row 2"),
        (np.full(6, "a"), "at least two classes, got only a"),
        (np.zeros(6, complex), "type complex128"),
        (np.zeros((6, 8, 8), int), "are called masks"),
        (np.full((6, 3), 2), "labels 0 or 1, got values up to 2"),
        (np.zeros(6), "at least two classes"),
        (np.zeros(5), "one row per image, got 5 for 6 in images"),
        (np.array(3), "got a single number"),
        (np.array([object()] * 6), "Python objects"),
    ],
)
def test_labels_that_make_no_sense_are_refused(refused, bad, match):
    refused(match, images=grey(), labels=bad)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.full((6, 8, 8), np.nan), "finite pixels, got NaN.* in 6 images, first in image 0"),
        (np.full((6, 8, 8), 1e300), "beyond float32"),
        (np.zeros((0, 8, 8)), "at least one image"),
        (np.zeros((6, 0, 8)), "at least one image"),
        (np.zeros((6, 3, 8, 8)), r"shape \(6, 3, 8, 8\).*channels last"),
        (np.zeros((6, 64)), "grey or RGB"),
        (np.zeros((6, 8, 8), bool), "got bool"),
        (np.zeros((6, 8, 8), complex), "got complex128"),
        (np.full((6, 8, 8), -1), "int64 from -1 to -1"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_images_that_make_no_sense_are_refused(refused, bad, match):
    refused(match, images=bad, labels=labels(len(bad)))


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.zeros((6, 4, 4), int), r"masks: expected masks of \(8, 8\) pixels like the images, got \(4, 4\)"),
        (np.zeros((6, 8, 8, 3), int), r"got \(8, 8, 3\)"),
        (np.zeros((6, 8, 8), int), "at least two classes"),
        (np.full((6, 8, 8), 300), "values up to 300.*instance numbers"),
        (np.full((6, 8, 8), -1), "got -1"),
        (np.full((6, 8, 8), 0.3), r"got 0\.3"),
        (np.full((6, 8, 8), [0, 1, 2, 255] * 2), "255 among others.*void"),
    ],
)
def test_masks_that_make_no_sense_are_refused(refused, bad, match):
    refused(match, images=grey(), masks=bad)


def test_parts_must_be_alike_and_have_the_same_columns(refused):
    train = {"train_images": grey(), "train_labels": labels()}
    refused("val_images: expected images .* as in train_images", **train, val_images=grey(side=9), val_labels=labels())
    refused("uint8 as in train_images, got .* float32", **train, val_images=grey() / 2.0, val_labels=labels())
    refused(
        "val_patients: expected patients for val_images",
        **train,
        train_patients=labels(),
        val_images=grey(),
        val_labels=labels(),
    )
    refused("val_labels: expected 1 labels per image", **train, val_images=grey(), val_labels=np.eye(6))


def test_there_must_be_something_to_train_on(refused):
    refused("images to train on", test_images=grey(), test_labels=labels())
    refused("images to train on", images=grey(), labels=labels(), splits=np.full(6, 2))
    refused(r"splits: expected 0 \(train\)", images=grey(), labels=labels(), splits=np.full(6, 3))
