import os
import pickle

import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from torch import Tensor, nn

from fedmed.engine.shared_memory import SharedMemoryBlock
from fedmed.flower.records import pack, unpack

TENSORS = {
    "weights": torch.randn(3, 5),
    "channels last": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    "channels last of a volume": torch.randn(2, 3, 4, 4, 4).contiguous(memory_format=torch.channels_last_3d),
    "count": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "half": torch.randn(3).bfloat16(),
    "none": torch.empty(0, 4),
    "transposed": torch.randn(4, 6).t(),
    "every second": torch.arange(10)[::2],
    "broadcast": torch.ones(1).expand(3),
}


def roundtrip(block: SharedMemoryBlock, content: RecordDict) -> RecordDict:
    return block.read(pickle.loads(pickle.dumps(block.write(content))))


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_of_any_kind_is_read_as_it_was_written(name: str) -> None:
    tensors = {"before": torch.ones(3), name: TENSORS[name], "after": torch.zeros(2)}
    read = unpack(roundtrip(SharedMemoryBlock(), RecordDict({"a": pack(tensors)})).array_records["a"])
    assert list(read) == list(tensors)
    assert all(torch.equal(read[n], t) and read[n].dtype == t.dtype for n, t in tensors.items())


def test_dense_tensors_keep_their_memory_layout() -> None:
    record = roundtrip(SharedMemoryBlock(), RecordDict({"a": pack(TENSORS)})).array_records["a"]
    assert unpack(record)["channels last"].is_contiguous(memory_format=torch.channels_last)
    assert unpack(record)["channels last of a volume"].is_contiguous(memory_format=torch.channels_last_3d)


def test_numbers_texts_and_several_records_are_read_as_they_were_written() -> None:
    content = RecordDict(
        {
            "a": pack({"x": torch.arange(3.0)}),
            "b": pack({"x": torch.arange(4.0)}),
            "none": ArrayRecord(),
            "m": MetricRecord({"loss": 0.1, "n": 3, "many": [1, 2]}),
            "c": ConfigRecord({"text": "t", "yes": True, "bytes": b"b"}),
        }
    )
    read = roundtrip(SharedMemoryBlock(), content)
    assert list(read) == list(content)
    assert [dict(read[n]) for n in "mc"] == [dict(content[n]) for n in "mc"]
    assert [unpack(read.array_records[n])["x"].tolist() for n in "ab"] == [[0, 1, 2], [0, 1, 2, 3]]
    assert read["none"] == {}


def test_what_is_read_is_lent() -> None:
    block = SharedMemoryBlock()
    first = unpack(roundtrip(block, RecordDict({"a": pack({"x": torch.zeros(2)})})).array_records["a"])["x"]
    block.write(RecordDict({"a": pack({"x": torch.ones(2)})}))
    assert first.tolist() == [1, 1]


def test_more_kinds_of_content_than_are_remembered() -> None:
    block = SharedMemoryBlock()
    for size in range(1, 200):
        read = roundtrip(block, RecordDict({"a": pack({"x": torch.full((size,), float(size))})}))
        assert unpack(read.array_records["a"])["x"].tolist() == [size] * size


def test_what_is_dumped_shares_memory_as_before_and_stays_what_it_was() -> None:
    images = torch.arange(12.0).reshape(3, 4)
    net = nn.Linear(2, 2)
    thing = {"one": images[:2], "other": images[1:], "net": net, "again": net.weight, "empty": torch.empty(0)}
    block = SharedMemoryBlock()
    loaded = block.load(block.dump(thing))
    assert loaded["again"] is loaded["net"].weight
    assert isinstance(loaded["again"], nn.Parameter)
    assert torch.equal(loaded["net"].bias, net.bias)
    loaded["one"][1, 0] = -1
    assert loaded["other"][0, 0] == -1
    assert images[1, 0] == 4
    assert loaded["empty"].shape == (0,)


def test_a_block_takes_only_the_memory_that_is_written() -> None:
    block = SharedMemoryBlock()
    block.write(RecordDict({"a": pack({"x": torch.zeros(1 << 18)})}))
    assert os.fstat(block._file).st_blocks * 512 <= 2 << 20


def test_tensors_that_ask_for_gradients_are_written_without() -> None:
    x: Tensor = torch.ones(2, requires_grad=True)
    assert not unpack(roundtrip(SharedMemoryBlock(), RecordDict({"a": pack({"x": x})})).array_records["a"])[
        "x"
    ].requires_grad
