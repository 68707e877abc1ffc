"""Coalitions of clients: who trains with whom, so that nobody only takes or only gives and no two rivals meet.

Chen, Wu, Tang, He, Ong, Liu, Lao, Yu: Free-Rider and Conflict Aware Collaboration Formation for Cross-Silo Federated
Learning. NeurIPS 2024, arXiv 2410.19321.

A coalition is admissible where no two members are rivals and, unless it has one member, each has an edge to and an edge
from another. A partition is merge-stable where no union of its coalitions is admissible and of more use to a member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fedmed.errors import refuse

Edges = NDArray[np.bool_]
"""(N, N): [j, i] says that client i gains from client j; or, symmetric, that i and j are rivals."""

Gains = NDArray[np.float64]
"""(N, N): [j, i] is how much client i gains from client j, 0 where there is no edge."""

Coalition = tuple[int, ...]
"""Clients, ascending."""

Partition = tuple[Coalition, ...]
"""Coalitions by their lowest clients: every client in one."""

EXPANSIONS = 1_000_000
"""Steps of a search for clients to merge, after which it is given up: the search is exponential in the worst case."""

CORE_CLIENTS = 10
"""The most clients of which all partitions are looked through."""

BLOCKING_CLIENTS = 12
"""The most clients of which all sets are looked through."""


@dataclass(frozen=True, slots=True)
class _Quotient:
    """Coalitions as nodes of a graph.

    after: by node, the nodes to which one of its members has an edge, ascending. rivals: by node, those that have a
    rival of one of its members, as a bit mask. many: by node, whether it has two members or more.
    """

    nodes: Partition
    after: Sequence[Sequence[int]]
    rivals: Sequence[int]
    many: Sequence[bool]

    @classmethod
    def of(cls, nodes: Partition, edges: Edges, rivals: Edges) -> _Quotient:
        """The graph of these coalitions."""
        m = np.zeros((len(nodes), len(edges)), np.int64)
        for node, members in enumerate(nodes):
            m[node, list(members)] = 1
        # q = (m E m^T) > 0, c = (m K m^T) > 0, diagonals cleared
        q, c = ((m @ graph.astype(np.int64) @ m.T) > 0 for graph in (edges, rivals))
        np.fill_diagonal(q, False)
        np.fill_diagonal(c, False)
        return cls(
            nodes=nodes,
            after=[np.flatnonzero(row).tolist() for row in q],
            rivals=[sum(1 << int(node) for node in np.flatnonzero(row)) for row in c],
            many=[len(members) > 1 for members in nodes],
        )


class _Search:
    """Depth-first searches that make so many steps together; `UserError` beyond."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def path(self, graph: _Quotient) -> list[int] | None:
        """The first cycle of nodes, or path between two that have many members, without rivals on it."""
        for start in range(len(graph.nodes)):
            if found := self._from(graph, [start], 1 << start, graph.rivals[start]):
                return found
        return None

    def _from(self, graph: _Quotient, path: list[int], on: int, banned: int) -> list[int] | None:
        """The first continuation of the path that ends as wanted. on, banned: its nodes and their rivals, bit masks."""
        self._step()
        start, last = path[0], path[-1]
        if len(path) > 1 and (start in graph.after[last] or (graph.many[start] and graph.many[last])):
            return path
        for node in graph.after[last]:
            if (on | banned) >> node & 1:
                continue
            if found := self._from(graph, [*path, node], on | 1 << node, banned | graph.rivals[node]):
                return found
        return None

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            fix = "Raise strategy.threshold, or name fewer rivals: then there are fewer paths among clients to look at."
            raise refuse("fedegoists", f"coalitions found within {self.most:,} steps", "more clients and edges", fix)


def merged(edges: Edges, rivals: Edges, most: int = EXPANSIONS) -> Partition:
    """The merge-stable partition to which all clients alone lead; the same for equal edges and rivals.

    Merges the first cycle of coalitions, or path between two that have more than one member, until there is none:
    starts and neighbours ascending, coalitions in order of their lowest clients.
    most: steps of all searches together. Raises `UserError` beyond.
    """
    search = _Search(most)
    nodes: Partition = tuple((client,) for client in range(len(edges)))
    while (path := search.path(_Quotient.of(nodes, edges, rivals))) is not None:
        union = tuple(sorted(client for node in path for client in nodes[node]))
        nodes = tuple(sorted([union, *(members for node, members in enumerate(nodes) if node not in path)]))
    return nodes


def admissible(members: Sequence[int], edges: Edges, rivals: Edges) -> bool:
    """Whether the members may be a coalition."""
    own = np.ix_(members, members)
    if rivals[own].any():
        return False
    inside = edges[own] & ~np.eye(len(members), dtype=bool)
    return len(members) == 1 or bool((inside.any(0) & inside.any(1)).all())


def utilities(partition: Partition, gains: Gains) -> Gains:
    """What every client gains from the others of its coalition, (N,)."""
    u = np.zeros(len(gains))
    for members in partition:
        own = gains[np.ix_(members, members)]
        u[list(members)] = own.sum(0) - own.diagonal()
    return u


def blocking_set(partition: Partition, gains: Gains, rivals: Edges) -> Coalition | None:
    """The first admissible set all of whose members would gain more in it than in their coalitions; None for none.

    Sets are looked at in order of size. Takes up to `BLOCKING_CLIENTS` clients.
    """
    return _blocking(utilities(partition, gains), _options(gains, rivals))


def core(gains: Gains, rivals: Edges) -> Partition | None:
    """Of the admissible partitions that no set blocks, the one with the largest sum of gains; None where there is none.

    Of equal sums the first in order. Takes up to `CORE_CLIENTS` clients.
    """
    options = _options(gains, rivals)
    found = [(utilities(partition, gains), partition) for partition in _partitions(options, len(gains))]
    found.sort(key=lambda each: (-round(float(each[0].sum()), 12), each[1]))
    return next((partition for u, partition in found if _blocking(u, options) is None), None)


def labels_of(partition: Partition) -> NDArray[np.int64]:
    """The lowest client of every client's coalition, (N,)."""
    labels = np.zeros(sum(map(len, partition)), np.int64)
    for members in partition:
        labels[list(members)] = members[0]
    return labels


def adjusted_rand(one: Sequence[int] | NDArray[np.int64], other: Sequence[int] | NDArray[np.int64]) -> float:
    """Agreement of two labellings of the same clients: 1 where they are the same groups, 0 as by chance.

    Hubert, Arabie: Comparing Partitions. Journal of Classification 2, 1985, doi.org/10.1007/BF01908075.
    """
    a, b = (np.unique(labels, return_inverse=True)[1] for labels in (one, other))
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    both, rows, columns = (_pairs(counts) for counts in (table, table.sum(1), table.sum(0)))
    chance = rows * columns / max(float(_pairs(np.array(float(len(a))))), 1.0)
    most = (rows + columns) / 2
    return 1.0 if most == chance else float((both - chance) / (most - chance))


def jain(u: Gains) -> float:
    """How evenly it is spread, from 1 / N (all at one client) to 1 (all alike); 1 where nobody has anything.

    Jain, Chiu, Hawe: A Quantitative Measure of Fairness and Discrimination. DEC TR-301, 1984, arXiv cs/9809099.
    """
    squares = float((u**2).sum()) * len(u)
    return float(u.sum()) ** 2 / squares if squares else 1.0


def _pairs(counts: NDArray[np.float64]) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _options(gains: Gains, rivals: Edges) -> list[tuple[Coalition, Gains]]:
    """Every admissible coalition, smallest first, with what each of its members gains in it, in their order."""
    edges, clients = gains > 0, range(len(gains))
    sets = (members for size in range(1, len(gains) + 1) for members in combinations(clients, size))
    return [
        (members, own.sum(0) - own.diagonal())
        for members in sets
        if admissible(members, edges, rivals)
        for own in [gains[np.ix_(members, members)]]
    ]


def _blocking(u: Gains, options: Sequence[tuple[Coalition, Gains]]) -> Coalition | None:
    better = (members for members, gain in options if bool((gain > u[list(members)] + 1e-12).all()))
    return next(better, None)


def _partitions(options: Sequence[tuple[Coalition, Gains]], clients: int) -> Iterator[Partition]:
    """All ways to divide the clients into these coalitions."""
    by_lowest: list[list[tuple[int, Coalition]]] = [[] for _ in range(clients)]
    for members, _ in options:
        by_lowest[members[0]].append((sum(1 << client for client in members), members))

    def rest(left: int) -> Iterator[Partition]:
        if not left:
            yield ()
            return
        lowest = (left & -left).bit_length() - 1
        for mask, members in by_lowest[lowest]:
            if mask & left == mask:
                yield from ((members, *others) for others in rest(left & ~mask))

    return rest((1 << clients) - 1)
