"""Partitions with label skew.

McMahan et al., AISTATS 2017, arXiv 1602.05629 (shards, few classes per client); Yurochkin et al., ICML 2019,
arXiv 1905.12022, and Hsu et al., 2019, arXiv 1909.06335 (Dirichlet).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import ImageMetadata, Partition
from fedmed.data.partition.spread import spread
from fedmed.data.strata import cut, rows_of, sampling_units, strata
from fedmed.errors import refuse


@dataclass(frozen=True, kw_only=True)
class DirichletPartition(Partition):
    """Label skew: the clients' shares of each class follow a Dirichlet distribution (Yurochkin et al. 2019).

    alpha: concentration (above 0; small: few classes per client, large: iid); with several labels per image, a class
       is a set of findings, and sets that fewer images than clients have count as their rarest finding alone.
    """

    remedies: ClassVar[tuple[str, ...]] = ("use fewer clients", "raise partition.alpha")

    alpha: Annotated[float, Gt(0)] = 0.5

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        stratum = strata(images.labels, rare=clients)
        shares = rng.dirichlet(np.full(clients, self.alpha), size=int(stratum.max()) + 1)
        return spread(images, stratum, shares, rng)


@dataclass(frozen=True, kw_only=True)
class PathologicalPartition(Partition):
    """Every client holds images of a few classes only, every class has equally many holders (McMahan et al. 2017).

    classes_per_client: most classes that a client holds (classes, at least 1); patients may be spread over clients.
    """

    remedies: ClassVar[tuple[str, ...]] = ("use fewer clients", "raise partition.classes_per_client")

    classes_per_client: Annotated[int, Ge(1)] = 2

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        if images.labels.ndim != 1:
            raise refuse("partition", "one class per image for pathological", "several", "Choose partition=dirichlet.")
        stratum = strata(images.labels, rare=0)
        holders = self._holders(int(stratum.max()) + 1, clients, rng)
        if images.patient is not None:  # a patient stays together within each class
            images = replace(images, patient=images.patient * len(holders) + stratum)
        return spread(images, stratum, holders / holders.sum(1, keepdims=True), rng)

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

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        count = clients * self.shards_per_client
        held = sampling_units(images.patient, strata(images.labels, rare=clients), images.train)
        order = np.lexsort((rng.random(len(held.sizes)), held.stratum, held.train))
        group = held.train.astype(np.int64)[order]
        shard = np.empty(len(order), np.int64)
        shard[order] = cut(held.sizes[order], group, np.full((2, count), 1 / count))
        return rows_of(rng.permutation(count)[shard[held.of_row]] // self.shards_per_client, clients)
