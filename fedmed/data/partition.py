"""Partitions: who holds which images.

Names and meanings follow Flower Datasets' partitioners where both have them; here they are arrays of indices, and the
images of one patient stay together where patients are known. Sources: McMahan et al., AISTATS 2017, arXiv 1602.05629
(shards, few classes per client); Yurochkin et al., ICML 2019, arXiv 1905.12022, and Hsu et al., 2019, arXiv 1909.06335
(Dirichlet); Li et al., NIID-Bench, ICDE 2022, arXiv 2102.02079 (quantity).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.partition_file import check, read
from fedmed.data.partition_file import save as save
from fedmed.data.strata import cut, rows_of, strata, units
from fedmed.errors import refuse
from fedmed.rng import numpy_generator

DEFAULT_CLIENTS = 10
"""Number of clients where neither the user nor the data say one."""

MAX_DRAWS = 100
"""Draws before `divide` gives up on the smallest client."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The rows that clients may hold: training and validation rows.

    labels: (N,) int64 class per row, or (N, L) bool: findings, or the foreground classes present in the mask.
    train: (N,) which of the rows are training rows.
    site, patient: (N,) int64 per row, or None when unknown.
    """

    labels: NDArray[Any]
    train: NDArray[np.bool_]
    site: Indices | None = None
    patient: Indices | None = None

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, rows: Indices) -> Pool:
        """The pool of the chosen rows."""
        site = None if self.site is None else self.site[rows]
        patient = None if self.patient is None else self.patient[rows]
        return Pool(self.labels[rows], self.train[rows], site, patient)


@dataclass(frozen=True, kw_only=True)
class Partition(ABC):
    """Who holds what; every row goes to exactly one client.

    min_size: fewest training images that a client may hold (images, at least 1); a smaller draw is drawn again.
    seed: seed of the division (null: the run's seed).
    """

    remedy: ClassVar[str] = "Use fewer clients or lower partition.min_size."

    min_size: Annotated[int, Ge(1)] = 1
    seed: int | None = None

    def number(self, pool: Pool, clients: int | None) -> int:
        """How many clients there will be when the user asks for `clients` (None: did not say)."""
        return DEFAULT_CLIENTS if clients is None else clients

    @abstractmethod
    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        """Sorted rows of the pool for each of `clients` clients; UserError where the partition is not defined."""


def divide(partition: Partition, pool: Pool, clients: int | None, seed: int) -> list[Indices]:
    """Sorted rows of every client, each with at least `partition.min_size` training rows.

    clients: how many, or None for what the partition makes of the data. seed: the run's seed.
    Draws again, up to MAX_DRAWS times, while a client is too small (Flower Datasets' rule), then raises UserError.
    """
    count = partition.number(pool, clients)
    _check_count(partition, pool, count)
    rng = numpy_generator(seed if partition.seed is None else partition.seed, "partition")
    smallest, holder = -1, 0
    for _ in range(MAX_DRAWS):
        before = rng.bit_generator.state
        parts = partition.draw(pool, count, rng)
        sizes = [int(pool.train[part].sum()) for part in parts]
        if min(sizes) >= partition.min_size:
            return parts
        if min(sizes) > smallest:
            smallest, holder = min(sizes), sizes.index(min(sizes))
        if rng.bit_generator.state == before:  # nothing was drawn, so drawing again changes nothing
            break
    expected = f"at least {partition.min_size} training images at each of {count} clients"
    raise refuse("partition.min_size", expected, f"{smallest} at client {holder} in the best draw", partition.remedy)


def _check_count(partition: Partition, pool: Pool, clients: int) -> None:
    if clients < 1:
        raise refuse("clients", "at least 1", clients)
    images = int(pool.train.sum())
    if clients * partition.min_size > images:
        most = f"at most {images // partition.min_size}, as there are {images} training images"
        raise refuse("clients", f"{most} and partition.min_size is {partition.min_size}", clients, partition.remedy)


@dataclass(frozen=True, kw_only=True)
class IidPartition(Partition):
    """Equally many images for every client, chosen at random."""

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        return _spread(pool, _one_stratum(pool), np.full((1, clients), 1 / clients), rng)


@dataclass(frozen=True, kw_only=True)
class DirichletPartition(Partition):
    """Label skew: the clients' shares of each class follow a Dirichlet distribution (Yurochkin et al. 2019).

    alpha: concentration (above 0; small: few classes per client, large: iid); with several labels per image, a class
       is a set of findings, and sets that fewer images than clients have count as their rarest finding alone.
    """

    remedy: ClassVar[str] = "Use fewer clients, raise partition.alpha or lower partition.min_size."

    alpha: Annotated[float, Gt(0)] = 0.5

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        stratum = strata(pool.labels, rare=clients)
        shares = rng.dirichlet(np.full(clients, self.alpha), size=int(stratum.max()) + 1)
        return _spread(pool, stratum, shares, rng)


@dataclass(frozen=True, kw_only=True)
class PathologicalPartition(Partition):
    """Every client holds images of a few classes only, every class has equally many holders (McMahan et al. 2017).

    classes_per_client: most classes that a client holds (classes, at least 1); patients may be spread over clients.
    """

    remedy: ClassVar[str] = "Use fewer clients, raise partition.classes_per_client or lower partition.min_size."

    classes_per_client: Annotated[int, Ge(1)] = 2

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        if pool.labels.ndim != 1:
            raise refuse("partition", "one class per image for pathological", "several", "Choose partition=dirichlet.")
        stratum = strata(pool.labels, rare=0)
        holders = self._holders(int(stratum.max()) + 1, clients, rng)
        if pool.patient is not None:  # a patient stays together within each class
            pool = replace(pool, patient=pool.patient * len(holders) + stratum)
        return _spread(pool, stratum, holders / holders.sum(1, keepdims=True), rng)

    def _holders(self, classes: int, clients: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Which client holds which class, (classes, clients) in {0, 1}."""
        most = self.classes_per_client
        if not classes <= clients * most <= clients * classes:
            expected = f"from {-(-classes // clients)} to {classes} for {classes} classes and {clients} clients"
            raise refuse("partition.classes_per_client", expected, most, "Else a class or a client is left without.")
        holders = np.zeros((classes, clients))
        for client in rng.permutation(clients):
            rarest = np.lexsort((rng.random(classes), holders.sum(1)))
            holders[rarest[:most], client] = 1
        return holders


@dataclass(frozen=True, kw_only=True)
class ShardPartition(Partition):
    """Images sorted by label, cut into equal shards, and dealt at random (McMahan et al. 2017).

    shards_per_client: shards that a client gets (shards, at least 1; many: iid).
    """

    shards_per_client: Annotated[int, Ge(1)] = 2

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        count = clients * self.shards_per_client
        held = units(pool.patient, strata(pool.labels, rare=clients), pool.train)
        order = np.lexsort((rng.random(len(held.sizes)), held.stratum, held.train))
        group = held.train.astype(np.int64)[order]
        shard = np.empty(len(order), np.int64)
        shard[order] = cut(held.sizes[order], group, np.full((2, count), 1 / count))
        return rows_of(rng.permutation(count)[shard[held.of_row]] // self.shards_per_client, clients)


@dataclass(frozen=True, kw_only=True)
class QuantityPartition(Partition):
    """Quantity skew: labels are iid, the clients' shares of images follow a Dirichlet distribution (Li et al. 2022).

    alpha: concentration (above 0; small: few clients hold most images, large: equal sizes).
    """

    remedy: ClassVar[str] = "Use fewer clients, raise partition.alpha or lower partition.min_size."

    alpha: Annotated[float, Gt(0)] = 1.0

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        return _spread(pool, _one_stratum(pool), rng.dirichlet(np.full(clients, self.alpha), size=1), rng)


@dataclass(frozen=True, kw_only=True)
class SitePartition(Partition):
    """Every client holds images of one site (hospital, scanner), in the order of the sites' numbers.

    clients_per_site: clients that share a site's images (clients, at least 1).
    within: how they share them: iid, or dirichlet for label skew inside the site.
    alpha: concentration of `within=dirichlet` (above 0; large: iid).
    """

    remedy: ClassVar[str] = "Lower partition.clients_per_site or partition.min_size."

    clients_per_site: Annotated[int, Ge(1)] = 1
    within: Literal["iid", "dirichlet"] = "iid"
    alpha: Annotated[float, Gt(0)] = 0.5

    def number(self, pool: Pool, clients: int | None) -> int:
        if pool.site is None:
            raise refuse("partition", "a dataset that knows the site of its images", "none", "Choose partition=iid.")
        sites = len(np.unique(pool.site))
        count = sites * self.clients_per_site
        if clients not in (None, count):
            expected = f"{count} ({sites} sites x partition.clients_per_site={self.clients_per_site})"
            raise refuse("clients", expected, clients, "Leave clients out, or change partition.clients_per_site.")
        return count

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        sites = [np.flatnonzero(pool.site == site) for site in np.unique(_known(pool.site))]
        if self.clients_per_site == 1:
            return sites
        inner = DirichletPartition(alpha=self.alpha) if self.within == "dirichlet" else IidPartition()
        return [rows[part] for rows in sites for part in inner.draw(pool[rows], self.clients_per_site, rng)]


@dataclass(frozen=True, kw_only=True)
class FilePartition(Partition):
    """A division read from a file, as `fedmed.data.partition.save` writes it; rows that it leaves out are not used.

    path: npz or JSON file with one list of row numbers per client, counted over training and validation rows.
    """

    remedy: ClassVar[str] = "Correct the file or lower partition.min_size."

    path: str = ""

    def number(self, pool: Pool, clients: int | None) -> int:
        count = len(read(Path(self.path)))
        if clients not in (None, count):
            raise refuse("clients", f"{count}, as {self.path} has", clients, "Leave clients out.")
        return count

    def draw(self, pool: Pool, clients: int, rng: np.random.Generator) -> list[Indices]:
        parts = read(Path(self.path))
        check(Path(self.path), parts, len(pool))
        return parts


def _spread(pool: Pool, stratum: Indices, shares: NDArray[np.float64], rng: np.random.Generator) -> list[Indices]:
    """Divides each stratum by its shares (strata, clients), training and validation rows alike, patients kept whole."""
    held, clients = units(pool.patient, stratum, pool.train), shares.shape[1]
    if clients > len(held.sizes):
        shared = "images" if pool.patient is None else "patients, whose images stay together"
        raise refuse("clients", f"at most {len(held.sizes)} to share {len(held.sizes)} {shared}", clients)
    group = held.stratum * 2 + held.train
    order = rng.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    client = np.empty(len(order), np.int64)
    client[order] = cut(held.sizes[order], group[order], np.repeat(shares, 2, axis=0))
    return rows_of(client[held.of_row], clients)


def _one_stratum(pool: Pool) -> Indices:
    return np.zeros(len(pool), np.int64)


def _known(site: Indices | None) -> Indices:
    """The sites, which `number` has found to be known."""
    assert site is not None
    return site
