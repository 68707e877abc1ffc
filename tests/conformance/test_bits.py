"""Runs that must agree to the last bit, and runs that must not."""

from pathlib import Path

import pytest

from fedmed.flower import ServerState
from fedmed.flower.records import save_memory
from fedmed.method import Method
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.strategies.fedavg import FedAvg
from tests.conformance.cases import NEUTRAL, Case
from tests.toys import Ended, Toy, federate, grid_of, initial, same


def test_same_seed_same_bits(case: Case, method: Method) -> None:
    one, other = (federate(case.toy, method, rounds=3, clients_per_round=2, seed=1) for _ in range(2))
    assert_equal(one, other)


def test_another_seed_other_bits(home: Case, method: Method) -> None:
    one, other = (federate(home.toy, method, seed=seed) for seed in (1, 2))
    assert not same(one.shared, other.shared)


def test_neutral_setting_is_fedavg(case: Case) -> None:
    if case.name not in NEUTRAL:
        pytest.skip(f"{case.name} declares no neutral setting")
    neutral = federate(case.toy, case.kind(**NEUTRAL[case.name]), rounds=3, clients_per_round=2)
    plain = federate(case.toy, FedAvg(), rounds=3, clients_per_round=2)
    assert same(neutral.shared, plain.shared)
    assert neutral.losses == plain.losses
    assert neutral.progress.inbox == {}


def test_defaults_are_not_fedavg(home: Case, method: Method) -> None:
    if home.name == "fedavg":
        pytest.skip("fedavg is FedAvg")
    mine, plain = (federate(home.toy, m, rounds=4) for m in (method, FedAvg()))
    alike = same(mine.shared, {name: plain.shared.get(name) for name in mine.shared})
    assert not alike or not same(mine.memory(0), plain.memory(0)), "the strategy changes nothing"


def test_stopped_and_resumed_equals_straight(case: Case, method: Method, tmp_path: Path) -> None:
    straight = federate(case.toy, method, rounds=4, clients_per_round=2)
    half = federate(case.toy, method, rounds=2, clients_per_round=2)
    assert_equal(_resumed(case.toy, method, half, tmp_path), straight)


def _resumed(toy: Toy, method: Method, half: Ended, folder: Path) -> Ended:
    """Four rounds, of which the first two come from a checkpoint."""
    clients = {client: half.memory(client) for client in range(len(toy.shares))}
    checkpoint.save(folder, Checkpoint(round=2, shared=half.shared, server=half.progress.kept(), clients=clients))
    saved = checkpoint.load(folder)
    assert saved is not None
    grid = grid_of(toy, method)
    for client, memory in saved.clients.items():
        save_memory(memory, grid.memory(client))
    progress = ServerState()
    progress.restore(saved.round, saved.server)
    assert not same(saved.shared, initial(toy, method))
    return federate(toy, method, rounds=4, clients_per_round=2, shared=saved.shared, grid=grid, progress=progress)


def assert_equal(one: Ended, other: Ended) -> None:
    """Same weights, inbox, server's memory, clients' memory, and where models are split those of every group."""
    assert [name for name in one.shared if not same(one.shared[name], other.shared[name])] == []
    assert same(one.progress.kept(), other.progress.kept())
    assert all(same(one.memory(client), other.memory(client)) for client in range(3))
