"""Coalitions: the golden cases, and by brute force on random graphs that what is formed is admissible and stable."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from fedmed import rng
from fedmed.errors import UserError
from fedmed.strategies._coalitions import (
    Edges,
    Gains,
    Partition,
    adjusted_rand,
    admissible,
    blocking_set,
    core,
    jain,
    labels_of,
    merged,
    utilities,
)

TWO_GROUPS = [(j, i) for group in ((0, 1, 2, 3), (4, 5, 6, 7)) for j, i in product(group, group) if i != j]

GOLDEN = [
    (8, TWO_GROUPS, [], "0123 4567"),
    (8, TWO_GROUPS, [(0, 1)], "023 1 4567"),
    (3, [(0, 1), (1, 2), (2, 0)], [], "012"),
    (3, [(0, 1), (1, 2), (2, 0)], [(0, 2)], "0 1 2"),
    (5, [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 3)], [], "01234"),
    (5, [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 3)], [(0, 4)], "01 2 34"),
    (3, [(0, 1), (1, 0), (1, 2)], [], "01 2"),
    (3, [(0, 1), (1, 0), (2, 1)], [], "01 2"),
    (4, [(0, 1), (1, 0), (2, 3), (3, 2), (1, 2)], [], "0123"),
]

REGROUPED = np.array([[0, 0, 3, 1], [2, 0, 2, 1], [0, 2, 0, 0], [0, 3, 1, 0]], float)
"""Gains of four clients, 0 and 3 rivals, of whom 1 and 3 would leave the coalitions that merging comes to."""


def graph(clients: int, pairs: list[tuple[int, int]], symmetric: bool = False) -> Edges:
    found = np.zeros((clients, clients), bool)
    for j, i in pairs:
        found[j, i] = True
        found[i, j] |= symmetric
    return found


def text(partition: Partition | None) -> str:
    return " ".join("".join(map(str, members)) for members in partition or ())


@pytest.mark.parametrize(("clients", "edges", "rivals", "expected"), GOLDEN)
def test_golden_cases(clients: int, edges: list[tuple[int, int]], rivals: list[tuple[int, int]], expected: str) -> None:
    assert text(merged(graph(clients, edges), graph(clients, rivals, symmetric=True))) == expected


def test_a_merge_stable_partition_may_be_blocked_and_the_core_is_not() -> None:
    rivals = graph(4, [(0, 3)], symmetric=True)
    partition = merged(REGROUPED > 0, rivals)
    assert text(partition) == "012 3"
    assert utilities(partition, REGROUPED).tolist() == [2, 2, 5, 0]
    assert blocking_set(partition, REGROUPED, rivals) == (1, 3)
    stable = core(REGROUPED, rivals)
    assert stable is not None
    assert blocking_set(stable, REGROUPED, rivals) is None
    assert all(admissible(members, REGROUPED > 0, rivals) for members in stable)


def random_graphs(each: int) -> list[tuple[Gains, Edges]]:
    """Gains and rivals: clients 6 and 8, density .15, .25, .4, competition .05 to .4, so many of each."""
    settings = product((6, 8), (0.15, 0.25, 0.4), range(each))
    return [_random(*setting) for setting in settings]


def _random(clients: int, density: float, number: int) -> tuple[Gains, Edges]:
    draw = rng.numpy_generator(number, "random graph", clients, round(100 * density))
    gains = draw.random((clients, clients)) * (draw.random((clients, clients)) < density)
    np.fill_diagonal(gains, 0)
    rivals = np.triu(draw.random((clients, clients)) < draw.uniform(0.05, 0.4), 1)
    return gains, rivals | rivals.T


def merge_stable(partition: Partition, gains: Gains, rivals: Edges) -> bool:
    """By all unions of two or more coalitions."""
    before = utilities(partition, gains)
    for size in range(2, len(partition) + 1):
        for chosen in combinations(partition, size):
            union = tuple(sorted(sum(chosen, ())))
            own = gains[np.ix_(union, union)].sum(0)
            if admissible(union, gains > 0, rivals) and (own > before[list(union)]).any():
                return False
    return True


def check(graphs: list[tuple[Gains, Edges]]) -> int:
    """How many partitions have a blocking set; all must be admissible and merge-stable."""
    blocked = 0
    for gains, rivals in graphs:
        partition = merged(gains > 0, rivals)
        assert sorted(sum(partition, ())) == list(range(len(gains)))
        assert all(admissible(members, gains > 0, rivals) for members in partition)
        assert merge_stable(partition, gains, rivals)
        blocked += blocking_set(partition, gains, rivals) is not None
    return blocked


def test_a_sample_of_random_graphs_is_admissible_and_merge_stable() -> None:
    assert check(random_graphs(6)) <= 9


@pytest.mark.slow
def test_360_random_graphs_are_admissible_and_merge_stable_and_some_have_a_blocking_set() -> None:
    blocked = check(random_graphs(60))
    print(f"{blocked} of 360 partitions have a blocking set")
    assert 20 <= blocked <= 60


def test_the_partition_depends_on_edges_alone() -> None:
    for gains, rivals in random_graphs(1):
        edges = gains > 0
        assert merged(edges, rivals) == merged(edges * 1 > 0, rivals.copy())


def test_no_coalition_of_one_is_blocked_and_core_of_no_edges_is_everyone_alone() -> None:
    nothing = np.zeros((3, 3))
    assert core(nothing, nothing > 0) == ((0,), (1,), (2,))
    assert blocking_set(((0,), (1,), (2,)), nothing, nothing > 0) is None


def test_the_core_is_preferred_by_the_sum_of_gains() -> None:
    gains = np.where(graph(4, [(j, i) for j in range(4) for i in range(4) if i != j]), 1.0, 0.0)
    assert core(gains, gains < 0) == ((0, 1, 2, 3),)


def test_a_hundred_clients_are_divided_and_a_search_that_is_too_long_is_refused() -> None:
    draw = rng.numpy_generator(0, "large graph")
    edges = draw.random((100, 100)) < 0.03
    np.fill_diagonal(edges, False)
    rivals = np.triu(draw.random((100, 100)) < 0.2, 1)
    partition = merged(edges, rivals | rivals.T)
    assert all(admissible(members, edges, rivals | rivals.T) for members in partition)
    with pytest.raises(UserError, match=r"coalitions found within 50 steps, got more .* Raise strategy\.threshold"):
        merged(edges, rivals | rivals.T, most=50)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([0, 0, 1, 1], [5, 5, 2, 2], 1.0),
        ([0, 0, 0, 0], [1, 1, 1, 1], 1.0),
        ([0, 1, 2, 3], [0, 0, 0, 0], 0.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], 0.24242424),
    ],
)
def test_adjusted_rand_index(one: list[int], other: list[int], expected: float) -> None:
    assert adjusted_rand(one, other) == pytest.approx(expected)


def test_labels_and_evenness() -> None:
    assert labels_of(((0, 2), (1,))).tolist() == [0, 1, 0]
    assert jain(np.array([1.0, 1.0, 1.0, 1.0])) == pytest.approx(1.0)
    assert jain(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert jain(np.zeros(3)) == 1.0
