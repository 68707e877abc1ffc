"""Which image is of which domain, by client or by site, and what a shift does to each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fedmed.data.client_rows import ClientRows
from fedmed.data.examples import Indices, Table, name_of
from fedmed.data.shift import NoneShift, Shift
from fedmed.errors import refuse


def domains_of(table: Table, held: Sequence[ClientRows], test: Indices, shift: Shift) -> Indices:
    """The domain of every row in order of client; the server's test images take turns where clients are the domains."""
    if isinstance(shift, NoneShift):
        return np.empty(0, np.int64)
    if shift.by == "site":
        return _sites(table, held, test)
    if shift.by == "group" and shift.groups > len(held):
        raise refuse("shift.groups", f"at most {len(held)}, the number of clients", shift.groups)
    domains = shift.domains(len(held))
    return np.concatenate([np.repeat(domains, [sum(map(len, h)) for h in held]), domains[_turns(test, len(held))]])


def domains_of_test(table: Table, test: Indices, shift: Shift, clients: int) -> dict[str, Indices]:
    """Which of the server's test images are of which domain, by its name; empty where domains are not known."""
    if shift.by != "site" and not isinstance(shift, NoneShift):
        found = (domains := shift.domains(clients))[_turns(test, clients)]
        return {f"{shift.by} {number}": np.flatnonzero(found == number) for number in np.unique(domains)}
    if table.site is None:
        return {}
    sites = table.site[test]
    return {name_of(int(site), table.site_names): np.flatnonzero(sites == site) for site in np.unique(sites)}


def shift_domains(x: Tensor, domains: Indices, shift: Shift, seed: int) -> None:
    """Shifts the images of every domain in place."""
    for domain in np.unique(domains):
        rows = torch.from_numpy(np.flatnonzero(domains == domain))
        x[rows] = shift.apply(x[rows], int(domain), seed)


def _sites(table: Table, held: Sequence[ClientRows], test: Indices) -> Indices:
    if table.site is None:
        raise refuse("shift.by", "client, as the dataset names no sites", "site")
    return np.asarray(table.site[np.concatenate([*(rows for h in held for rows in h), test])], np.int64)


def _turns(test: Indices, clients: int) -> Indices:
    return np.arange(len(test)) % clients
