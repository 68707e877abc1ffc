"""Memory that processes share: tensors are written into it once and read in place; only their description is sent."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
import weakref
from collections.abc import Iterable
from math import prod
from multiprocessing import reduction
from typing import Any, NamedTuple

import torch
from flwr.app import ArrayRecord, RecordDict
from torch import Tensor, nn

from fedmed.flower.records import pack, unpack

SPAN = 1 << 36
"""Bytes an arena may grow to. Only what is written takes memory; the file is sparse."""

ALIGNED, KEPT = 64, 64
"""Bytes to which tensors are aligned; how many sets of views an arena remembers."""


class TensorLayout(NamedTuple):
    """Where a tensor lies in an arena, and how."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


TensorLayouts = tuple[TensorLayout, ...]
RecordLayout = tuple[tuple[str, type, Any, TensorLayouts], ...]
"""A record dict without its tensors: per record its name, its kind, what it holds (or its tensors' names), places."""


class SharedMemoryBlock:
    """An unnamed shared file in memory: it vanishes with the last process that has it, however that ends.

    It can be inherited by a forked process and passed to a spawned one as an argument.
    """

    def __init__(self, file: int | None = None) -> None:
        self._file = _new_file() if file is None else file
        weakref.finalize(self, os.close, self._file)
        self._memory = mmap.mmap(self._file, SPAN)
        self._views: dict[TensorLayouts, list[Tensor]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (reduction.DupFd(self._file),)

    def write(self, content: RecordDict) -> RecordLayout:
        """Copies the tensors of the records in, over what was there, and describes them."""
        blueprint: list[tuple[str, type, Any, TensorLayouts]] = []
        end = 0
        for name, record in content.items():
            if isinstance(record, ArrayRecord):
                tensors = unpack(record)
                places, end = _places(tensors.values(), end)
                if tensors:
                    parts = [tensor.detach() for tensor in tensors.values()]
                    torch._foreach_copy_(self._at(places), parts)  # pyright: ignore[reportPrivateImportUsage]  # no public name
                blueprint.append((name, ArrayRecord, tuple(tensors), places))
            else:
                blueprint.append((name, type(record), dict(record), ()))
        return tuple(blueprint)

    def read(self, blueprint: RecordLayout) -> RecordDict:
        """The records that were written; their tensors are lent: good until the arena is written again."""
        content = RecordDict()
        for name, kind, held, places in blueprint:
            content[name] = pack(dict(zip(held, self._at(places), strict=True))) if kind is ArrayRecord else kind(held)
        return content

    def dump(self, thing: Any) -> bytes:
        """A pickle of anything, whose tensors are copied in; tensors that share storage do so when loaded."""
        stream = io.BytesIO()
        _Pickler(stream, self).dump(thing)
        return stream.getvalue()

    def load(self, pickled: bytes) -> Any:
        """What was dumped; its tensors lie in the arena."""
        return _Unpickler(io.BytesIO(pickled), self).load()

    def view(self, place: TensorLayout) -> Tensor:
        """The tensor at a place."""
        if not prod(place.shape):
            return torch.empty(place.shape, dtype=place.dtype)
        length = 1 + sum((size - 1) * step for size, step in zip(place.shape, place.stride, strict=True))
        flat = torch.frombuffer(self._memory, dtype=place.dtype, count=length, offset=place.offset)
        return flat.as_strided(place.shape, place.stride)

    def _at(self, places: TensorLayouts) -> list[Tensor]:
        """The tensors at the places; the same objects when asked again, as a net's weights are in every round."""
        if places not in self._views:
            if len(self._views) >= KEPT:
                self._views.clear()
            self._views[places] = [self.view(place) for place in places]
        return self._views[places]


def _places(tensors: Iterable[Tensor], start: int) -> tuple[TensorLayouts, int]:
    """Layouts for the tensors one after another, and where they end; the memory layout of dense tensors is kept."""
    places = []
    for tensor in tensors:
        stride = tensor.stride() if _dense(tensor) else torch.empty(tensor.shape, device="meta").stride()
        places.append(TensorLayout(tensor.dtype, tuple(tensor.shape), stride, start))
        start += -(-tensor.numel() * tensor.element_size() // ALIGNED) * ALIGNED
    return tuple(places), start


def _dense(tensor: Tensor) -> bool:
    """Whether the elements fill one piece of memory without gaps or overlaps, in any order."""
    return tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last))


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("fedmed")
    else:
        with tempfile.TemporaryFile() as unlinked:
            file = os.dup(unlinked.fileno())
    os.ftruncate(file, SPAN)
    return file


def _attach(passed: Any) -> SharedMemoryBlock:
    return SharedMemoryBlock(passed.detach())


class _Pickler(pickle.Pickler):
    """Puts storages into an arena, each once, and keeps of tensors where they lie in them."""

    def __init__(self, stream: io.BytesIO, arena: SharedMemoryBlock) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._arena, self._end, self._starts = arena, 0, dict[int, int]()

    def persistent_id(self, thing: Any) -> Any:
        if not isinstance(thing, Tensor):
            return None
        storage = thing.untyped_storage()
        if storage.data_ptr() not in self._starts:
            self._starts[storage.data_ptr()] = self._end
            whole = torch.empty(0, dtype=torch.uint8).set_(storage)
            (place,), self._end = _places([whole], self._end)
            self._arena.view(place).copy_(whole)
        offset = self._starts[storage.data_ptr()] + int(thing.storage_offset()) * thing.element_size()
        place = TensorLayout(thing.dtype, tuple(thing.shape), thing.stride(), offset)
        return place, isinstance(thing, nn.Parameter), thing.requires_grad


class _Unpickler(pickle.Unpickler):
    """The other way."""

    def __init__(self, stream: io.BytesIO, arena: SharedMemoryBlock) -> None:
        super().__init__(stream)
        self._arena, self._loaded = arena, dict[Any, Tensor]()

    def persistent_load(self, kept: Any) -> Tensor:
        if kept not in self._loaded:
            place, parameter, requires_grad = kept
            tensor = self._arena.view(place)
            self._loaded[kept] = (
                nn.Parameter(tensor, requires_grad) if parameter else tensor.requires_grad_(requires_grad)
            )
        return self._loaded[kept]
