import numpy as np
import pytest

RNG = np.random.default_rng(0)
VOLUMES = {"volumes": True}


def volumes(*shape, n=6):
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def labels(n=6, classes=3):
    return np.arange(n, dtype=np.uint8)[:, None] % classes


@pytest.mark.parametrize(("shape", "channels"), [((5, 8, 7), 1), ((5, 8, 7, 1), 1), ((5, 8, 7, 4), 4)])
def test_volumes_have_their_channels_last_in_the_file(load, shape, channels):
    given = volumes(*shape)
    table = load(VOLUMES, images=given, labels=labels())
    assert table.examples.x.shape == (6, channels, 5, 8, 7)
    assert (table.examples.x[2, -1].numpy() == (given[2] if len(shape) == 3 else given[2, ..., -1])).all()


def test_masks_of_volumes_with_their_spacing(load):
    masks = (volumes(5, 8, 7) > 200).astype(np.uint8)
    table = load(VOLUMES, images=volumes(5, 8, 7), masks=masks[..., None], spacing=np.tile([3.0, 1.0, 0.5], (6, 1)))
    assert (table.examples.y.numpy() == masks).all()
    assert table.spacing[5].tolist() == [3.0, 1.0, 0.5]


def test_volumes_without_a_mask_count_as_not_annotated(load):
    masks = (volumes(5, 8, 7) > 200).astype(np.uint8)
    table = load(VOLUMES, images=volumes(5, 8, 7), masks=masks, has_mask=np.array([1, 0, 1, 1, 1, 1]))
    assert table.examples.seen.flatten().tolist() == [True, False, True, True, True, True]
    assert table.examples.seen.expand_as(table.examples.y).shape == table.examples.y.shape


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((8, 7), r"as dataset\.volumes=true, got shape \(6, 8, 7\).*leave dataset\.volumes out"),
        ((8, 7, 3), r"got shape \(6, 8, 7, 3\).*look like images"),
        ((2, 5, 8, 7), r"more channels than slices.*moveaxis"),
    ],
)
def test_what_is_no_volume_is_refused(refused, shape, words):
    refused(words, VOLUMES, images=volumes(*shape), labels=labels())


@pytest.mark.parametrize("shape", [(5, 8, 7), (5, 8, 7, 1)])
def test_volumes_that_nobody_spoke_of_are_refused_with_what_to_say(refused, shape):
    refused(r"dataset\.volumes=true", images=volumes(*shape), labels=labels())


def test_masks_of_another_shape_than_their_volumes_are_refused(refused):
    refused(
        r"masks of \(5, 8, 7\) pixels like the images", VOLUMES, images=volumes(5, 8, 7), masks=volumes(8, 7) // 255
    )


@pytest.mark.parametrize("spacing", [np.ones((6, 2)), np.zeros((6, 3)), np.full((6, 3), np.nan)])
def test_a_spacing_that_is_none_is_refused(refused, spacing):
    refused(r"spacing: expected distances \(N, 3\), all above 0", VOLUMES, images=volumes(5, 8, 7), labels=labels(),
            spacing=spacing)  # fmt: skip


def test_mosaics_of_volumes_are_refused(refused):
    refused("these are volumes", {**VOLUMES, "mosaic": 2}, images=volumes(5, 8, 7), labels=labels())
