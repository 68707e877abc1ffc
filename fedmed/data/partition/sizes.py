"""Partitions that leave labels alone: clients of one size, or of several.

Quantity skew: Li et al., NIID-Bench, ICDE 2022, arXiv 2102.02079.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import ImageMetadata, Partition
from fedmed.data.partition.spread import one_stratum, spread


@dataclass(frozen=True, kw_only=True)
class IidPartition(Partition):
    """Equally many images for every client, chosen at random."""

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        return spread(images, one_stratum(images), np.full((1, clients), 1 / clients), rng)


@dataclass(frozen=True, kw_only=True)
class QuantityPartition(Partition):
    """Quantity skew: labels are iid, the clients' shares of images follow a Dirichlet distribution (Li et al. 2022).

    alpha: concentration (above 0; small: few clients hold most images, large: equal sizes).
    """

    remedies: ClassVar[tuple[str, ...]] = ("use fewer clients", "raise partition.alpha")

    alpha: Annotated[float, Gt(0)] = 1.0

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        return spread(images, one_stratum(images), rng.dirichlet(np.full(clients, self.alpha), size=1), rng)
