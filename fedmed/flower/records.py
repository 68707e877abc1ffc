"""Between fedmed's named tensors and Flower's records, without a copy where nothing leaves the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from torch import Tensor

from fedmed.method import Payload

STATE = "fedmed.state"
"""Name of the records in a context's state that hold a client's memory."""


class LocalArray(Array):
    """A Flower array that keeps its tensor and turns it into bytes only when it is pickled, hashed or sent."""

    stype = "numpy.ndarray"

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @property
    def dtype(self) -> str:  # type: ignore[override]
        return str(self.tensor.dtype).removeprefix("torch.")

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(self.tensor.shape)

    @property
    def data(self) -> bytes:  # type: ignore[override]
        return self.serialised().data

    def numpy(self) -> Any:
        return self.tensor.detach().cpu().numpy()

    def serialised(self) -> Array:
        """The same values as a plain Flower array."""
        return Array(self.numpy())

    @property
    def is_dirty(self) -> bool:
        return True  # the tensor may have changed since Flower last hashed it

    @is_dirty.setter
    def is_dirty(self, value: bool) -> None:
        pass

    def slice_array(self) -> list[tuple[str, Any]]:
        return self.serialised().slice_array()  # Flower would keep the first slices

    def deflate(self) -> bytes:
        return self.serialised().deflate()  # Flower's receivers know its own class by name, not this one

    def __reduce__(self) -> tuple[Any, ...]:
        plain = self.serialised()
        return Array, (plain.dtype, plain.shape, plain.stype, plain.data)


def pack(tensors: Payload) -> ArrayRecord:
    """A record that refers to the tensors; changing them changes it."""
    record = ArrayRecord()
    for name, tensor in tensors.items():
        record[name] = LocalArray(tensor)
    return record


def unpack(record: ArrayRecord) -> dict[str, Tensor]:
    """The record's tensors: the very ones that were packed where they never left the process."""
    return {n: a.tensor if isinstance(a, LocalArray) else torch.from_numpy(a.numpy()) for n, a in record.items()}


def owned(content: RecordDict) -> RecordDict:
    """The same records with tensors of their own, safe to keep while the net trains on."""
    copies = RecordDict()
    for name, record in content.items():
        if isinstance(record, ArrayRecord):
            copies[name] = pack({n: t.detach().clone() for n, t in unpack(record).items()})
        else:
            copies[name] = record
    return copies


def tensor_bytes(content: RecordDict) -> int:
    """Bytes of all tensors in the records."""
    tensors = (tensor for record in content.array_records.values() for tensor in unpack(record).values())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def save_memory(memory: Mapping[str, Any], state: RecordDict) -> None:
    """Replaces a client's memory, nested dicts of tensors, numbers and strings, in its context's state.

    Nested names become paths with slashes; empty dicts vanish.
    Raises `TypeError` for a name with a slash or a value that Flower has no record for.
    """
    arrays, config = ArrayRecord(), ConfigRecord()
    for path, value in _leaves(memory, ""):
        if isinstance(value, Tensor):
            arrays[path] = LocalArray(value)
        else:
            config[path] = value
    state[f"{STATE}.arrays"], state[f"{STATE}.values"] = arrays, config


def load_memory(state: RecordDict) -> dict[str, Any]:
    """A client's memory from its context's state; empty for a client that never took part."""
    if f"{STATE}.arrays" not in state:
        return {}
    memory: dict[str, Any] = {}
    values = {**unpack(state.array_records[f"{STATE}.arrays"]), **state.config_records[f"{STATE}.values"]}
    for path, value in values.items():
        *parents, name = path.split("/")
        level = memory
        for parent in parents:
            level = level.setdefault(parent, {})
        level[name] = value
    return memory


def _leaves(memory: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in memory.items():
        if "/" in name:
            raise TypeError(f"a name in a client's state must hold no slash, got {name!r}")
        if isinstance(value, Mapping):
            found += _leaves(value, f"{prefix}{name}/")
        else:
            found.append((prefix + name, value))
    return found
