"""Clients that are hospitals: each holds images of one site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from fedmed.data.examples import Indices
from fedmed.data.partition.contract import ImageMetadata, Partition
from fedmed.data.partition.labels import DirichletPartition
from fedmed.data.partition.sizes import IidPartition
from fedmed.errors import refuse


@dataclass(frozen=True, kw_only=True)
class SitePartition(Partition):
    """Every client holds images of one site (hospital, scanner), in the order of the sites' numbers.

    clients_per_site: clients that share a site's images (clients, at least 1).
    within: how they share them: iid, or dirichlet for label skew inside the site.
    alpha: concentration of `within=dirichlet` (above 0; large: iid).
    """

    remedies: ClassVar[tuple[str, ...]] = ("lower partition.clients_per_site", "use more images")

    clients_per_site: Annotated[int, Ge(1)] = 1
    within: Literal["iid", "dirichlet"] = "iid"
    alpha: Annotated[float, Gt(0)] = 0.5

    def number(self, images: ImageMetadata, clients: int | None) -> int:
        if images.site is None:
            raise refuse("partition", "a dataset that knows the site of its images", "none", "Choose partition=iid.")
        sites = len(np.unique(images.site))
        count = sites * self.clients_per_site
        if self.within != "iid" and self.clients_per_site == 1:
            fix = "Raise it, or leave partition.within out: one client has all images of its site."
            raise refuse("partition.clients_per_site", f"2 or more for within={self.within}", 1, fix)
        if clients not in (None, count):
            expected = f"{count} ({sites} sites x partition.clients_per_site={self.clients_per_site})"
            raise refuse("clients", expected, clients, "Leave clients out, or change partition.clients_per_site.")
        return count

    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        sites = [np.flatnonzero(images.site == site) for site in np.unique(_known(images.site))]
        if self.clients_per_site == 1:
            return sites
        inner = DirichletPartition(alpha=self.alpha) if self.within == "dirichlet" else IidPartition()
        return [rows[part] for rows in sites for part in inner.draw(images[rows], self.clients_per_site, rng)]


def _known(site: Indices | None) -> Indices:
    """The sites, which `number` has found to be known."""
    assert site is not None
    return site
