"""Mosaics: every image in exactly one of them, and labels that say what is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmed.data.attributes import Attribute
from fedmed.data.examples import TEST, TRAIN, Examples, Table
from fedmed.data.mosaic import mosaic
from fedmed.errors import UserError

CLASSES, HEIGHT, WIDTH = 5, 3, 2
SEX = {"sex": Attribute(np.arange(60) % 2, ("F", "M"))}


def table(rows: int = 60, *, split: bool = True, site: bool = False) -> Table:
    """Image i has the one value i + 1, so that tiles tell where they come from."""
    value = torch.arange(1, rows + 1, dtype=torch.uint8)
    x = value[:, None, None, None].expand(rows, 1, HEIGHT, WIDTH).contiguous()
    return Table(
        examples=Examples(x, torch.arange(rows) % CLASSES),
        task="multiclass",
        classes=CLASSES,
        split=np.where(np.arange(rows) < 40, TRAIN, TEST).astype(np.int8) if split else None,
        site=np.arange(rows) % 2 if site else None,
    )


def tiles(image: torch.Tensor, cells: int) -> list[list[int]]:
    """The values of every cell of a mosaic (1, cells H, cells W), without repetition."""
    grid = image[0].reshape(cells, HEIGHT, cells, WIDTH).transpose(1, 2).flatten(0, 1)
    return [cell.unique().tolist() for cell in grid]


@pytest.mark.parametrize("cells", [2, 3])
def test_every_image_is_a_whole_tile_of_one_mosaic_of_its_split(cells: int) -> None:
    made = mosaic(table(), cells, seed=0)
    assert made.split is not None
    assert made.examples.x.shape[1:] == (1, cells * HEIGHT, cells * WIDTH)
    shown = [[tile for tile in tiles(image, cells) if tile != [0]] for image in made.examples.x]
    assert all(len(tile) == 1 for image in shown for tile in image)
    for part, values in ((TRAIN, range(1, 41)), (TEST, range(41, 61))):
        found = [tile[0] for image, own in zip(shown, made.split, strict=True) if own == part for tile in image]
        assert sorted(found) == list(values)


def test_labels_are_the_classes_that_a_mosaic_shows() -> None:
    made = mosaic(table(), 2, seed=0)
    for image, y in zip(made.examples.x, made.examples.y, strict=True):
        expected = {(tile[0] - 1) % CLASSES for tile in tiles(image, 2) if tile != [0]}
        assert set(y.nonzero()[:, 0].tolist()) == expected
    assert made.examples.y.dtype == torch.float32
    assert made.task == "multilabel"


def test_half_of_the_places_are_taken() -> None:
    assert len(mosaic(table(), 2, seed=0)) == 30
    assert len(mosaic(table(61, split=False), 2, seed=0)) == 31


def test_sites_do_not_mix() -> None:
    made = mosaic(table(site=True), 2, seed=0)
    assert made.site is not None
    for image, own in zip(made.examples.x, made.site, strict=True):
        assert {(tile[0] - 1) % 2 for tile in tiles(image, 2) if tile != [0]} <= {own}


def test_the_seed_alone_decides() -> None:
    first, again, other = (mosaic(table(), 2, seed=seed).examples for seed in (0, 0, 1))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)


def test_a_drawn_split_stays_open() -> None:
    assert mosaic(table(split=False), 2, seed=0).split is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "multilabel"}, "one class each"),
        ({"patient": np.arange(60)}, "patients"),
        ({"attributes": SEX}, "another sex"),
    ],
)
def test_what_cannot_be_tiles_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"dataset.mosaic.*{message}"):
        mosaic(replace(table(), **change), 2, seed=0)
