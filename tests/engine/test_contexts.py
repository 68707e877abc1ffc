from pathlib import Path

import torch
from flwr.app import ConfigRecord, MetricRecord, RecordDict

from fedmed.engine.contexts import Contexts
from fedmed.flower.records import load_memory, pack, save_memory, unpack
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate, grid_of, same

SIZE = 1000
BUDGET = 3 * 4 * SIZE


def filled(contexts: Contexts, node: int) -> None:
    values = torch.full((SIZE // 10, 10), float(node)).t()
    save_memory({"x": values, "n": node, "text": "t"}, contexts[node].state)


def files(contexts: Contexts) -> list[Path]:
    return sorted(Path(contexts._folder.name).iterdir()) if contexts._folder else []


def test_a_context_is_made_when_it_is_first_asked_for() -> None:
    contexts = Contexts(5)
    assert 2 not in contexts
    assert contexts[2].node_config == {"partition-id": 1, "num-partitions": 5}
    assert contexts[2] is contexts[2]
    assert [node for node in range(6) if node in contexts] == [2]


def test_within_the_budget_nothing_goes_to_disk() -> None:
    contexts = Contexts(5, BUDGET)
    for node in (1, 2, 3, 1):
        filled(contexts, node)
    assert contexts[5].node_id == 5
    assert files(contexts) == []


def test_beyond_the_budget_the_least_recently_used_go_to_disk_and_come_back_as_they_were() -> None:
    contexts = Contexts(9, BUDGET)
    for node in (1, 2, 3, 1, 4, 5):
        filled(contexts, node)
    assert contexts[9].state == {}
    assert [file.name for file in files(contexts)] == ["2.pt", "3.pt"]
    for node in (1, 2, 3, 4, 5):
        memory = load_memory(contexts[node].state)
        assert (memory["n"], memory["text"]) == (node, "t")
        assert torch.equal(memory["x"], torch.full((10, SIZE // 10), float(node)))
        assert memory["x"].stride() == (1, 10)


def test_memory_stays_within_the_budget_whatever_the_number_of_nodes() -> None:
    contexts = Contexts(50, BUDGET)
    for node in [*range(1, 51), *range(1, 51)]:
        filled(contexts, node)
    assert len(contexts._held) <= 4
    assert len(contexts._held) + len(contexts._away) == 50


def test_records_of_every_kind_come_back() -> None:
    contexts = Contexts(3, budget=0)
    kept = {"a": pack({"x": torch.ones(2)}), "m": MetricRecord({"v": 0.5}), "c": ConfigRecord({"b": b"b"})}
    contexts[1].state = RecordDict(kept)
    assert contexts[2].state == {}
    assert contexts[3].state == {}
    assert 1 not in contexts._held
    state = contexts[1].state
    assert unpack(state.array_records["a"])["x"].tolist() == [1, 1]
    assert (dict(state["m"]), dict(state["c"])) == ({"v": 0.5}, {"b": b"b"})


def test_the_folder_goes_with_the_contexts() -> None:
    contexts = Contexts(3, budget=0)
    for node in (1, 2, 3):
        filled(contexts, node)
    (folder,) = {file.parent for file in files(contexts)}
    del contexts
    assert not folder.exists()


def test_a_run_with_its_states_on_disk_has_the_same_bits() -> None:
    toy, method = TOYS["multiclass"], Scaffold()
    plain = federate(toy, method, rounds=3, clients_per_round=2)
    grid = grid_of(toy, method)
    grid.contexts = Contexts(3, budget=1)
    spilled = federate(toy, method, rounds=3, clients_per_round=2, grid=grid)
    assert grid.contexts._folder is not None
    assert same(spilled.shared, plain.shared)
    assert all(same(spilled.memory(client), plain.memory(client)) for client in range(3))
