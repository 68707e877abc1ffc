import pickle
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict

from fedmed.flower.records import LocalArray, load_memory, owned, pack, save_memory, unpack
from tests.toys import same

TENSORS = {
    "w": torch.arange(6.0).reshape(2, 3),
    "images": torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    "steps": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "pixels": torch.tensor([0, 255], dtype=torch.uint8),
}


def test_what_stays_in_the_process_is_not_copied() -> None:
    again = unpack(pack(TENSORS))
    assert all(again[name] is TENSORS[name] for name in TENSORS)
    assert list(again) == list(TENSORS)


@pytest.mark.parametrize("name", TENSORS)
def test_a_pickled_array_is_flowers_own_with_the_same_values(name: str) -> None:
    local = LocalArray(TENSORS[name])
    plain = pickle.loads(pickle.dumps(local))
    assert type(plain) is Array
    assert (plain.dtype, tuple(plain.shape), plain.stype) == (local.dtype, local.shape, local.stype)
    assert plain.data == local.data
    assert np.array_equal(plain.numpy(), TENSORS[name].numpy())
    assert same(unpack(ArrayRecord({name: plain}))[name], TENSORS[name].contiguous())


def test_a_message_content_survives_the_wire_between_processes() -> None:
    content = RecordDict({"arrays": pack(TENSORS), "metrics": MetricRecord({"loss": 0.5})})
    again = _received(content)
    assert same(unpack(again.array_records["arrays"]), {n: t.contiguous() for n, t in TENSORS.items()})
    assert all(type(array) is Array for array in again.array_records["arrays"].values())
    assert again.metric_records["metrics"]["loss"] == 0.5


def test_what_is_sent_is_the_tensor_as_it_is_now() -> None:
    tensor = torch.zeros(3)
    content = RecordDict({"arrays": pack({"w": tensor})})
    first = content.object_id, _received(content)
    tensor.fill_(2)
    second = content.object_id, _received(content)
    assert unpack(second[1].array_records["arrays"])["w"].tolist() == [2, 2, 2]
    assert unpack(first[1].array_records["arrays"])["w"].tolist() == [0, 0, 0]
    assert first[0] != second[0]


def test_a_gradient_does_not_travel() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    assert LocalArray(parameter).numpy().tolist() == [1, 1]


def test_owned_records_outlive_the_net() -> None:
    tensor = torch.ones(2)
    content = RecordDict({"arrays": pack({"w": tensor}), "metrics": MetricRecord({"loss": 0.5})})
    mine = owned(content)
    tensor.fill_(9)
    assert unpack(mine.array_records["arrays"])["w"].tolist() == [1, 1]
    assert unpack(content.array_records["arrays"])["w"].tolist() == [9, 9]
    assert mine.metric_records["metrics"]["loss"] == 0.5


def test_memory_comes_back_nested_as_it_was() -> None:
    memory = {"fedx": {"deep": {"w": torch.ones(2), "n": 3}, "name": "a.b", "rate": 0.5, "on": True}, "@local": TENSORS}
    state = RecordDict()
    save_memory(memory, state)
    assert same(load_memory(state), memory)


def test_a_client_that_never_took_part_has_no_memory() -> None:
    assert load_memory(RecordDict()) == {}


def test_saving_replaces_all_that_was_kept_and_leaves_other_records() -> None:
    state = RecordDict({"mine": MetricRecord({"kept": 1})})
    save_memory({"a": {"old": 1, "w": torch.ones(1)}}, state)
    save_memory({"a": {"new": 2, "nothing": {}}}, state)
    assert load_memory(state) == {"a": {"new": 2}}
    assert state.metric_records["mine"]["kept"] == 1


def test_names_with_slashes_are_refused() -> None:
    with pytest.raises(TypeError, match="no slash, got 'a/b'"):
        save_memory({"fedx": {"a/b": 1}}, RecordDict())


@pytest.mark.parametrize("value", [object(), None, {1, 2}])
def test_values_that_flower_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        save_memory({"fedx": {"odd": value}}, RecordDict())


def _received(record: Any) -> Any:
    """What a receiver makes of an object's bytes: it finds the class by the name at their head, children first."""
    content = record.deflate()
    children = {child.object_id: _received(child) for child in (record.children or {}).values()}
    kinds = {kind.__qualname__: kind for kind in (Array, ArrayRecord, MetricRecord, RecordDict, *map(type, _chunks()))}
    return kinds[content.split(b" ")[0].decode()].inflate(content, children)


def _chunks() -> list[Any]:
    return list(Array(np.zeros(1)).children.values())
