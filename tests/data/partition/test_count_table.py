"""Published count tables on other data: their counts, their shape where data are few, and what is refused."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from fedmed.data.partition import CountTablePartition, ImageMetadata, divide
from fedmed.data.partition.count_table import FEDISIC6, ICH10, TABLES, scaled
from fedmed.errors import UserError

Table = Literal["fedisic6", "ich10"]


def pool_of(per_class: list[int], val: int = 0) -> ImageMetadata:
    """So many training rows of each class, and `val` validation rows of each."""
    labels = np.arange(len(per_class)).repeat(np.add(per_class, val))
    train = np.concatenate([np.arange(n + val) < n for n in per_class])
    return ImageMetadata(labels, train)


def counts(pool: ImageMetadata, parts: list[np.ndarray], classes: int, *, train: bool = True) -> np.ndarray:
    chosen = [part[pool.train[part] == train] for part in parts]
    return np.stack([np.bincount(pool.labels[part], minlength=classes) for part in chosen])


def test_tables_are_those_published() -> None:
    assert FEDISIC6.shape == (6, 8)
    assert FEDISIC6.sum() == 18_597
    assert FEDISIC6.sum(1).tolist() == [9930, 3163, 2691, 1807, 655, 351]
    weights = FEDISIC6.sum(1) / FEDISIC6.sum()
    assert weights.round(5).tolist() == [0.53396, 0.17008, 0.14470, 0.09717, 0.03522, 0.01887]
    assert ICH10.shape == (10, 5)
    assert ICH10.sum(0).tolist() == [1198, 11146, 7130, 11773, 23125]
    assert ICH10.sum(1).tolist() == [7390, 7536, 11177, 8948, 3408, 3137, 4128, 3380, 2723, 2545]


@pytest.mark.parametrize("table", ["fedisic6", "ich10"])
def test_with_enough_images_the_counts_are_the_tables(table: Table) -> None:
    published = TABLES[table]
    pool = pool_of((published.sum(0) + 7).tolist(), val=100)
    parts = divide(CountTablePartition(table=table), pool, None, 0)
    assert np.array_equal(counts(pool, parts, published.shape[1]), published)
    rows = np.concatenate(parts)
    assert len(np.unique(rows)) == len(rows)


def test_with_few_images_the_shape_is_kept() -> None:
    pool = pool_of([225] * 8, val=25)
    parts = divide(CountTablePartition(), pool, None, 0)
    found = counts(pool, parts, 8)
    factor = 225 / FEDISIC6[:, 1].sum()
    assert (found.sum(0) <= 225).all()
    assert found[:, 1].sum() == pytest.approx(225, abs=3)
    assert np.abs(found - np.maximum(FEDISIC6 * factor, FEDISIC6 > 0)).max() <= 1
    assert ((found > 0) == (FEDISIC6 > 0)).all()
    val = counts(pool, parts, 8, train=False)
    assert (val[FEDISIC6 == 0] == 0).all()
    assert np.abs(val - found * 25 / 225).max() <= 1


def test_the_factor_is_the_largest_that_fits() -> None:
    table = np.array([[100, 4], [50, 0], [50, 1]])
    assert np.array_equal(scaled(table, np.array([200, 9])), table)
    assert scaled(table, np.array([20, 9])).tolist() == [[10, 1], [5, 0], [5, 1]]  # .1 of the table, at least 1
    assert scaled(table, np.array([200, 3])).tolist() == [[62, 2], [31, 0], [31, 1]]  # 2.5 of 4 would round to 3
    assert scaled(table, np.array([3, 2])).tolist() == [[1, 1], [1, 0], [1, 1]]


def test_the_seed_alone_decides_who_gets_which_image() -> None:
    pool = pool_of([225] * 8)
    one, again, other = (divide(CountTablePartition(), pool, None, seed) for seed in (1, 1, 2))
    assert all(map(np.array_equal, one, again))
    assert not all(map(np.array_equal, one, other))


def test_patients_stay_together() -> None:
    pool = pool_of([300] * 8)
    patient = np.arange(len(pool)) // 3
    pool = ImageMetadata(pool.labels, pool.train, patient=patient)
    parts = divide(CountTablePartition(), pool, None, 0)
    holders = [set(patient[part].tolist()) for part in parts]
    assert sum(map(len, holders)) == len(set.union(*holders))
    found = counts(pool, parts, 8)
    assert (found[FEDISIC6 == 0] == 0).all()


@pytest.mark.parametrize(
    ("pool", "clients", "message"),
    [
        (pool_of([300] * 8), 5, "clients: expected 6, as fedisic6 has, got 5"),
        (pool_of([300] * 6), None, "expected 8 classes in the data for fedisic6, got 6"),
        (pool_of([300] * 9), None, "expected 8 classes in the data for fedisic6, got 9"),
        (pool_of([300] * 5 + [4] + [300] * 2), None, "class 5 for each of the 5 clients that hold it, got 4 images"),
        (ImageMetadata(np.zeros((90, 8), bool), np.ones(90, bool)), None, "one class per image for fedisic6"),
    ],
)
def test_data_that_do_not_match_the_table_are_refused(pool: ImageMetadata, clients: int | None, message: str) -> None:
    with pytest.raises(UserError) as error:
        divide(CountTablePartition(), pool, clients, 0)
    assert message in str(error.value)
