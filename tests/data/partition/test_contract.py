from pathlib import Path

import numpy as np
import pytest

from fedmed.data.partition import (
    DEFAULT_CLIENTS,
    MAX_DRAWS,
    DirichletPartition,
    FilePartition,
    IidPartition,
    ImageMetadata,
    Partition,
    PathologicalPartition,
    QuantityPartition,
    ShardPartition,
    SitePartition,
    divide,
    save,
)
from fedmed.errors import UserError

RANDOM = (IidPartition(), DirichletPartition(), ShardPartition(), QuantityPartition())
EVERY = (
    *RANDOM,
    PathologicalPartition(),
    SitePartition(),
    SitePartition(clients_per_site=2),
    SitePartition(clients_per_site=2, within="dirichlet"),
)


def a_pool(seed: int, *, findings: int = 0, patients: bool = False) -> ImageMetadata:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(300, 900))
    labels = rng.random((rows, findings)) < 0.2 if findings else rng.integers(0, 5, rows)
    patient = rng.integers(0, rows // 4, rows) if patients else None
    return ImageMetadata(labels, rng.random(rows) < 0.8, rng.integers(0, 3, rows), patient)


def sizes(parts: list[np.ndarray]) -> list[int]:
    return [len(part) for part in parts]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(map(np.array_equal, a, b))


@pytest.mark.parametrize("partition", EVERY, ids=str)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("findings", "patients"), [(0, False), (0, True), (4, False), (4, True)])
def test_every_row_goes_to_exactly_one_client(partition: Partition, seed: int, findings: int, patients: bool) -> None:
    if findings and isinstance(partition, PathologicalPartition):
        pytest.skip("pathological is refused for several labels")
    pool = a_pool(seed, findings=findings, patients=patients)
    parts = divide(partition, pool, None, seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(pool)))
    assert all(np.array_equal(part, np.sort(part)) for part in parts)
    assert all(pool.train[part].any() for part in parts)


@pytest.mark.parametrize("partition", RANDOM, ids=str)
@pytest.mark.parametrize("findings", [0, 4])
def test_a_patient_stays_at_one_client(partition: Partition, findings: int) -> None:
    pool = a_pool(1, findings=findings, patients=True)
    parts = divide(partition, pool, 6, 0)
    assert pool.patient is not None
    holders = [set(pool.patient[part].tolist()) for part in parts]
    assert sum(map(len, holders)) == len(set.union(*holders))


@pytest.mark.parametrize("partition", EVERY, ids=str)
def test_the_seed_alone_decides(partition: Partition) -> None:
    pool = a_pool(2)
    again = divide(partition, pool, None, 7)
    assert same(divide(partition, pool, None, 7), again)
    if partition != SitePartition():
        assert not same(divide(partition, pool, None, 8), again)


def test_a_seed_of_its_own_holds_while_the_seed_of_the_run_varies() -> None:
    fixed = DirichletPartition(seed=3)
    assert same(divide(fixed, a_pool(2), 5, 0), divide(fixed, a_pool(2), 5, 1))
    assert same(divide(fixed, a_pool(2), 5, 0), divide(DirichletPartition(), a_pool(2), 5, 3))


def test_ten_clients_unless_told() -> None:
    assert len(divide(IidPartition(), a_pool(0), None, 0)) == DEFAULT_CLIENTS == 10
    assert len(divide(IidPartition(), a_pool(0), 3, 0)) == 3


def test_iid_sizes_differ_by_at_most_one_training_row() -> None:
    pool = a_pool(3)
    training = [int(pool.train[part].sum()) for part in divide(IidPartition(), pool, 7, 0)]
    assert max(training) - min(training) <= 1


def test_the_smaller_alpha_the_more_skewed_the_labels() -> None:
    pool = ImageMetadata(np.arange(4000) % 4, np.ones(4000, bool))

    def distance(alpha: float) -> float:
        parts = divide(DirichletPartition(alpha=alpha), pool, 8, 0)
        shares = [np.bincount(pool.labels[part], minlength=4) / len(part) for part in parts]
        return float(np.mean([np.abs(share - 0.25).sum() / 2 for share in shares]))

    assert distance(0.1) > 0.5 > distance(1.0) > 0.1 > distance(1e5)
    assert distance(1e5) < 0.01


def test_dirichlet_shares_have_the_spread_of_their_distribution() -> None:
    pool = ImageMetadata(np.arange(200_000) % 200, np.ones(200_000, bool))
    parts = divide(DirichletPartition(alpha=0.5), pool, 4, 0)
    share = np.stack([np.bincount(pool.labels[part], minlength=200) for part in parts]) / 1000
    # Dir(a, ..., a) over K clients: mean 1/K, variance (K-1) / (K^2 (K a + 1))
    assert share.mean() == pytest.approx(0.25)
    assert share.var() == pytest.approx(3 / (16 * 3), rel=0.15)


def test_dirichlet_divides_training_and_validation_rows_alike() -> None:
    rows = np.arange(20_000)
    pool = ImageMetadata(rows % 2, rows % 4 < 2)
    for part in divide(DirichletPartition(), pool, 5, 0):
        assert pool.train[part].sum() == pytest.approx((~pool.train[part]).sum(), abs=4)


def test_dirichlet_over_sets_of_findings_merges_rare_sets_into_their_rarest_finding() -> None:
    common = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], bool).repeat([300, 100, 200], axis=0)
    rare = np.array([[1, 1, 0]], bool).repeat(3, axis=0)  # fewer than clients: joins finding 1
    pool = ImageMetadata(np.concatenate([common, rare]), np.ones(603, bool))
    together = ImageMetadata(np.array([0, 1, 2, 1]).repeat([300, 100, 200, 3]), pool.train)
    classes = divide(DirichletPartition(), together, 5, 0)
    sets = divide(DirichletPartition(), pool, 5, 0)
    group = np.array([1, 2, 0, 2]).repeat([300, 100, 200, 3])  # sets are numbered by their binary code
    renumbered = divide(DirichletPartition(), ImageMetadata(group, pool.train), 5, 0)
    assert same(sets, renumbered)
    assert not same(sets, classes)


@pytest.mark.parametrize("clients", [5, 7, 20])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_pathological_gives_few_classes_and_equally_many_holders(clients: int, most: int) -> None:
    pool = a_pool(4)
    parts = divide(PathologicalPartition(classes_per_client=most), pool, clients, 0)
    held = np.array([np.bincount(pool.labels[part], minlength=5) > 0 for part in parts])
    assert (held.sum(1) <= most).all()
    assert held.sum(0).max() - held.sum(0).min() <= 1


def test_shards_hold_few_labels_each() -> None:
    pool = ImageMetadata(np.arange(1000) % 10, np.ones(1000, bool))
    parts = divide(ShardPartition(shards_per_client=2), pool, 10, 0)
    assert sizes(parts) == [100] * 10
    assert all(len(np.unique(pool.labels[part])) <= 4 for part in parts)


def test_quantity_skews_sizes_and_not_labels() -> None:
    pool = ImageMetadata(np.arange(8000) % 2, np.ones(8000, bool))
    parts = divide(QuantityPartition(alpha=0.5, min_size=100), pool, 6, 0)
    assert max(sizes(parts)) > 4 * min(sizes(parts))
    assert all(pool.labels[part].mean() == pytest.approx(0.5, abs=0.15) for part in parts)
    assert max(sizes(divide(QuantityPartition(alpha=1e6), pool, 6, 0))) < 1.05 * 8000 / 6


def test_clients_of_site_hold_their_site_in_order() -> None:
    pool = a_pool(5)
    assert pool.site is not None
    for k, part in enumerate(divide(SitePartition(clients_per_site=2), pool, 6, 0)):
        assert (pool.site[part] == k // 2).all()
    assert len(divide(SitePartition(), pool, None, 0)) == 3


def test_a_division_survives_its_file(tmp_path: Path) -> None:
    pool = a_pool(6)
    parts = divide(DirichletPartition(), pool, 12, 0)
    for name in ("split.npz", "split.json"):
        save(tmp_path / "new" / name, parts)
        assert same(divide(FilePartition(path=str(tmp_path / "new" / name)), pool, None, 9), parts)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["split.json", "split.npz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[0, 1], [1, 2]]", "row 1 2 times (clients 0, 1)"),
        ("[[0, 1], [2, 900000]]", "2 to 900000 at client 1"),
        ("[[-1, 1], [2]]", "-1 to 1 at client 0"),
        ("[[0.5], [2]]", "something else for client 0"),
        ("[[[1, 2], 3]]", "something else for client 0"),
        ("[]", "list without lists"),
        ('{"a": [1]}', "dict without lists"),
        ("[[0", "fedmed describe --save FILE writes one"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        divide(FilePartition(path=str(path)), a_pool(0), None, 0)
    assert message in str(error.value)


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK nonsense")
    for path, message in (
        ("", "ends in .npz or .json"),
        (tmp_path / "a.npz", "no such file"),
        (tmp_path / "broken.npz", "a file of"),
    ):
        with pytest.raises(UserError, match=message):
            divide(FilePartition(path=str(path)), a_pool(0), None, 0)


@pytest.mark.parametrize(
    ("partition", "clients", "message"),
    [
        (IidPartition(), 0, "clients: expected at least 1, got 0"),
        (IidPartition(), 5000, "clients: expected at most"),
        (IidPartition(min_size=200), 5, "partition.min_size is 200"),
        (SitePartition(), 4, "clients: expected 3 (3 sites x partition.clients_per_site=1), got 4"),
        (SitePartition(within="dirichlet"), 3, "partition.clients_per_site: expected 2 or more for within=dirichlet"),
        (PathologicalPartition(classes_per_client=6), 5, "classes_per_client: expected from 1 to 5"),
        (PathologicalPartition(classes_per_client=2), 2, "classes_per_client: expected from 3 to 5"),
    ],
)
def test_what_cannot_be_is_refused(partition: Partition, clients: int, message: str) -> None:
    with pytest.raises(UserError) as error:
        divide(partition, a_pool(0), clients, 0)
    assert message in str(error.value)


def test_what_the_data_do_not_allow_is_refused() -> None:
    labels = np.zeros((50, 2), bool)
    with pytest.raises(UserError, match="Choose partition=dirichlet"):
        divide(PathologicalPartition(), ImageMetadata(labels, np.ones(50, bool)), 2, 0)
    with pytest.raises(UserError, match="Choose partition=iid"):
        divide(SitePartition(), ImageMetadata(labels, np.ones(50, bool)), None, 0)
    with pytest.raises(UserError, match="at most 3 to share 3 patients"):
        divide(IidPartition(), ImageMetadata(labels, np.ones(50, bool), patient=np.arange(50) % 3), 4, 0)


class Counting(IidPartition):
    """Gives client 1 a single row; draws a random number only if asked to."""

    draws = 0
    random = True

    def draw(self, pool: ImageMetadata, clients: int, rng: np.random.Generator) -> list[np.ndarray]:
        type(self).draws += 1
        if self.random:
            rng.random()
        return [np.arange(1, len(pool)), np.arange(1)]


@pytest.mark.parametrize(("random", "draws"), [(True, MAX_DRAWS), (False, 1)])
def test_too_small_a_client_is_named_after_all_draws(monkeypatch: pytest.MonkeyPatch, random: bool, draws: int) -> None:
    monkeypatch.setattr(Counting, "draws", 0)
    monkeypatch.setattr(Counting, "random", random)
    pool = ImageMetadata(np.zeros(40, np.int64), np.ones(40, bool))
    with pytest.raises(UserError, match="at least 5 training images at each of 2 clients, got 1 at client 1"):
        divide(Counting(min_size=5), pool, 2, 0)
    assert Counting.draws == draws


def test_draws_again_until_every_client_has_enough() -> None:
    pool = ImageMetadata(np.arange(300) % 3, np.arange(300) % 5 > 0)
    for seed in range(5):
        parts = divide(DirichletPartition(alpha=0.3, min_size=10), pool, 6, seed)
        assert min(int(pool.train[part].sum()) for part in parts) >= 10
