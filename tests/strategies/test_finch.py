import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from fedmed import rng
from fedmed.strategies import _finch
from fedmed.strategies._finch import centroids, finch


def at(*degrees: float) -> Tensor:
    """Unit vectors in the plane."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], 1)


def same_partition(a: list[int], b: list[int]) -> bool:
    """Whether two labellings make the same sets."""
    pairs = set(zip(a, b, strict=True))
    return len(pairs) == len(set(a)) == len(set(b))


@pytest.mark.parametrize(
    ("degrees", "sizes", "last"),
    [
        ((0, 2, 5, 20, 23, 60, 62, 66), [3], "00011222"),
        ((0, 1, 3, 10, 11.5, 14, 40, 41, 43, 50, 51.5, 54), [4, 2], "000000111111"),
        ((0, 1, 5, 6, 30, 31, 35, 36), [4, 2], "00001111"),
        ((0, 10, 21, 33), [1], "0000"),
        ((7,), [1], "0"),
        ((7, 80), [1], "00"),
        ((7, 80, 9), [1], "000"),
    ],
)
def test_golden_partitions(degrees: tuple[float, ...], sizes: list[int], last: str) -> None:
    """P5."""
    for rows in (at(*degrees), at(*degrees).float()):
        levels = finch(rows)
        assert [int(labels.max()) + 1 for labels in levels] == sizes
        assert "".join(map(str, levels[-1].tolist())) == last


def test_golden_centroids() -> None:
    """P5: angles and lengths of the means of the clusters."""
    rows = at(0, 2, 5, 20, 23, 60, 62, 66)
    x, y = centroids(rows, finch(rows)[-1]).T
    assert [math.degrees(a) for a in torch.atan2(y, x)] == pytest.approx([2.333, 21.5, 62.666], abs=1e-3)
    assert torch.hypot(x, y).tolist() == pytest.approx([0.99936, 0.99966, 0.99905], abs=1e-5)


@pytest.mark.parametrize("seed", range(200))
def test_equals_finch_clust(seed: int) -> None:
    """P10: the same number of levels, and the same sets at each."""
    package = pytest.importorskip("finch", reason="finch-clust is not installed: pip install fedmed-sim[test]")
    g = rng.generator(seed, "finch")
    n, d = int(torch.randint(2, 61, (), generator=g)), (2, 8, 64)[seed % 3]
    rows = torch.randn(n, d, generator=g, dtype=torch.float64)
    theirs = package.FINCH(rows.numpy(), distance="cosine", ensure_early_exit=False, verbose=False)[0]
    ours = finch(rows)
    assert len(ours) == theirs.shape[1]
    assert all(same_partition(o.tolist(), t.tolist()) for o, t in zip(ours, theirs.T, strict=True))


def test_clusters_of_clusters_have_the_means_of_their_rows_not_of_their_centroids() -> None:
    g = rng.generator(0, "finch")
    rows = torch.randn(60, 4, generator=g)
    levels = finch(rows)
    assert len(levels) > 1
    for finer, coarser in pairwise(levels):
        means = torch.stack([rows[finer == k].mean(0) for k in range(int(finer.max()) + 1)])
        assert same_partition(finch(means)[0][finer].tolist(), coarser.tolist())


@pytest.mark.parametrize("n", [4, 10, 60])
def test_every_cluster_has_two_rows(n: int) -> None:
    for labels in finch(torch.randn(n, 16, generator=rng.generator(n, "finch"))):
        assert labels.bincount().min() >= 2


def test_no_row_is_one_empty_partition() -> None:
    (labels,) = finch(torch.zeros(0, 3))
    assert labels.tolist() == []


def test_zero_rows_are_one_cluster() -> None:
    assert finch(torch.zeros(6, 3))[-1].tolist() == [0] * 6


def test_duplicates_stay_together() -> None:
    labels = finch(at(0, 30, 60, 90).repeat(3, 1))[0].reshape(3, 4)
    assert (labels == labels[0]).all()
    assert len(labels[0].unique()) == 4


def test_the_order_and_the_length_of_rows_change_no_set() -> None:
    g = rng.generator(1, "finch")
    rows, order = torch.randn(40, 8, generator=g), torch.randperm(40, generator=g)
    plain = finch(rows)[0]
    assert same_partition(finch(rows[order])[0].tolist(), plain[order].tolist())
    stretched = rows * torch.rand(40, 1, generator=g).add(0.1)
    assert same_partition(finch(stretched)[0].tolist(), plain.tolist())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randn(50, 8, generator=rng.generator(2, "finch"), dtype=torch.float64)
    whole = finch(rows)
    monkeypatch.setattr(_finch, "BLOCK", 7)
    assert all(torch.equal(a, b) for a, b in zip(finch(rows), whole, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_clustered_each_on_its_own(seed: int) -> None:
    """Labels count on from one group to the next, and a group without a coarser partition keeps its last."""
    g = rng.generator(seed, "groups")
    sizes = [60, 0, *torch.randint(1, 30, (5,), generator=g).tolist(), 3, 1]
    rows = torch.randn(sum(sizes), 8, generator=g)
    alone = [finch(group) for group in rows.split(sizes)]
    levels = finch(rows, sizes)
    assert len(levels) == max(map(len, alone))
    for level, labels in enumerate(levels):
        first = 0
        for own, found in zip(alone, labels.split(sizes), strict=True):
            expected = own[min(level, len(own) - 1)]
            assert torch.equal(found, expected + first)
            first += len(expected.unique())
