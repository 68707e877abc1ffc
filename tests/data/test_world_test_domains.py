from dataclasses import replace

import numpy as np

from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.examples import TEST, Indices, Table
from fedmed.data.partition import IidPartition
from fedmed.data.prepare import prepare
from fedmed.data.shift import NoneShift, ScannerShift, Shift
from fedmed.data.world import build_world
from tests.data.tables import Given, table

SITE = np.arange(240) % 3


def domains(made: Table, shift: Shift) -> dict[str, Indices]:
    world = build_world(
        Given(table=made),
        partition=IidPartition(),
        annotation=CompleteAnnotation(),
        shift=shift,
        clients=3,
        client_test=0,
        seed=0,
    )
    return dict(world.test_domains)


def test_the_domains_of_the_server_s_test_images_are_their_sites_or_the_clients_scanners() -> None:
    made = replace(table(), site=SITE, site_names=("a", "b"))
    test = np.flatnonzero(prepare(Given(table=made)).split == TEST)
    sites = domains(made, NoneShift())
    assert list(sites) == ["a", "b", "site 2"]
    assert [rows.tolist() for rows in sites.values()] == [np.flatnonzero(SITE[test] == s).tolist() for s in range(3)]
    turns = domains(made, ScannerShift())
    assert {name: rows[:2].tolist() for name, rows in turns.items()} == {
        "client 0": [0, 3],
        "client 1": [1, 4],
        "client 2": [2, 5],
    }
    assert domains(made, ScannerShift(by="site")).keys() == sites.keys()
    assert domains(replace(made, site=None, site_names=()), NoneShift()) == {}
